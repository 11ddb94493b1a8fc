// /api/v1/series, labels, label/NAME/values and metadata.

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/api/parameters.h"
#include "daemon/base/text.h"
#include "rules/promql/lexer.h"
#include "rules/promql/utf8.h"

namespace tocsin::api {
namespace {

// What all of them take. `wrong` is set if a parameter is.
struct SeriesParameters {
  model::TimeRange range;
  std::vector<std::vector<model::Matcher>> selectors;
  std::size_t limit = 0;
  std::optional<Response> wrong;

  bool IsEmptyRange() const { return range.to_ms < range.from_ms; }
};

SeriesParameters ReadParameters(const Request& request) {
  SeriesParameters parameters;
  const auto limit = ParseApiLimit(request);
  if (!limit.ok()) {
    parameters.wrong = InvalidParameter("limit", limit.error().message);
    return parameters;
  }
  parameters.limit = *limit;
  const RangeParameters range = ParseApiRange(request);
  if (!range.wrong.empty()) {
    parameters.wrong = InvalidParameter(range.wrong, range.error.message);
    return parameters;
  }
  parameters.range = range.range;
  auto selectors = ParseApiSelectors(request);
  if (!selectors.ok()) {
    // Upstream names the parameter for /series only.
    parameters.wrong = request.path.ends_with("/series")
                           ? InvalidParameter("match[]", selectors.error().message)
                           : Failure(ErrorType::kBadData, selectors.error().message);
    return parameters;
  }
  parameters.selectors = *std::move(selectors);
  return parameters;
}

template <class Set>
std::vector<std::string> Limited(const Set& all, std::size_t limit,
                                 std::vector<std::string>& warnings) {
  std::vector<std::string> texts;
  for (const auto& text : all) {
    if (limit != 0 && texts.size() == limit) {
      warnings.push_back("results truncated due to limit");
      break;
    }
    texts.push_back(text);
  }
  return texts;
}

// The union of `read` over every selector, or over all series if there is none.
template <class Read>
Response AnswerNames(const SeriesParameters& parameters, Read read) {
  std::set<std::string> all;
  auto selectors = parameters.selectors;
  if (selectors.empty()) selectors.emplace_back();
  if (parameters.IsEmptyRange()) selectors.clear();
  for (const auto& matchers : selectors) {
    const Result<std::vector<std::string>> names = read(matchers);
    if (!names.ok()) return EvaluationFailure(names.error());
    all.insert(names->begin(), names->end());
  }
  std::vector<std::string> warnings;
  std::string data;
  AppendJsonStrings(Limited(all, parameters.limit, warnings), data);
  return Success(std::move(data), warnings);
}

}  // namespace

Response AnswerSeries(const Context& context, const Request& request) {
  if (auto wrong = BrokenForm(request)) return *std::move(wrong);
  if (request.Params("match[]").empty()) {
    return Failure(ErrorType::kBadData, "no match[] parameter provided");
  }
  const SeriesParameters parameters = ReadParameters(request);
  if (parameters.wrong) return *parameters.wrong;
  std::set<model::Labels> found;
  for (const auto& matchers : parameters.selectors) {
    if (parameters.IsEmptyRange()) break;
    const auto selection = context.store.Select(matchers, parameters.range);
    if (!selection.ok()) return EvaluationFailure(selection.error());
    for (std::size_t i = 0; i < (*selection)->size(); ++i) found.insert((*selection)->labels(i));
  }
  std::vector<std::string> warnings;
  std::string data = "[";
  std::size_t count = 0;
  for (const model::Labels& labels : found) {
    if (parameters.limit != 0 && count == parameters.limit) {
      warnings.push_back("results truncated due to limit");
      break;
    }
    if (count++ > 0) data += ',';
    AppendJsonLabels(labels, data);
  }
  data += ']';
  return Success(std::move(data), warnings);
}

Response AnswerLabelNames(const Context& context, const Request& request) {
  const SeriesParameters parameters = ReadParameters(request);
  if (parameters.wrong) return *parameters.wrong;
  return AnswerNames(parameters, [&](const std::vector<model::Matcher>& matchers) {
    return context.store.LabelNames(matchers, parameters.range);
  });
}

Response AnswerLabelValues(const Context& context, const Request& request) {
  const std::string name = UnescapeLabelName(request.Param("label").value_or(""));
  if (!promql::IsLabelName(name)) {
    return Failure(ErrorType::kBadData, "invalid label name: " + promql::GoQuote(name));
  }
  const SeriesParameters parameters = ReadParameters(request);
  if (parameters.wrong) return *parameters.wrong;
  return AnswerNames(parameters, [&](const std::vector<model::Matcher>& matchers) {
    return context.store.LabelValues(name, matchers, parameters.range);
  });
}

Response AnswerMetadata(const Context& context, const Request& request) {
  // Unlike elsewhere, 0 is a limit here: nothing is answered.
  std::optional<std::int64_t> limit, per_metric;
  for (const auto& [name, number] :
       {std::pair{"limit", &limit}, {"limit_per_metric", &per_metric}}) {
    const auto text = request.Param(name);
    if (!text || text->empty()) continue;
    *number = ParseInt(*text);
    if (!*number) return Failure(ErrorType::kBadData, std::string(name) + " must be a number");
  }
  const auto beyond = [](std::size_t count, std::optional<std::int64_t> limit) {
    return limit && *limit >= 0 && static_cast<std::int64_t>(count) >= *limit;
  };
  const std::string wanted = request.Param("metric").value_or("");
  // By name: type, help and unit.
  std::map<std::string, std::set<std::array<std::string, 3>>> metrics;
  const auto add = [&](const std::string& name, model::MetricType type, const std::string& help,
                       const std::string& unit) {
    if (!wanted.empty() && name != wanted) return;
    const bool unknown = type == model::MetricType::kUnknown;
    auto& entries = metrics[name];
    if (per_metric.value_or(0) > 0 && beyond(entries.size(), per_metric)) return;
    entries.insert({unknown ? "unknown" : std::string(model::MetricTypeName(type)), help, unit});
  };
  for (const poll::TargetPage& page : context.poller.Pages()) {
    if (!page.batch) continue;
    for (const model::MetricBatch::Family& family : page.batch->families()) {
      add(family.name, family.type, family.help, "");
    }
  }
  if (context.receiver) {
    for (const auto& known : context.receiver->Families()) {
      add(known.family, known.type, known.help, known.unit);
    }
  }
  std::string data = "{";
  std::size_t count = 0;
  for (const auto& [name, entries] : metrics) {
    if (beyond(count, limit)) break;
    if (count++ > 0) data += ',';
    AppendJsonString(name, data);
    data += ":[";
    bool first = true;
    for (const auto& [type, help, unit] : entries) {
      if (!first) data += ',';
      first = false;
      data += "{\"type\":";
      AppendJsonString(type, data);
      data += ",\"help\":";
      AppendJsonString(help, data);
      data += ",\"unit\":";
      AppendJsonString(unit, data);
      data += '}';
    }
    data += ']';
  }
  data += '}';
  return Success(std::move(data));
}

}  // namespace tocsin::api
