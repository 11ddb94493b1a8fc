// /metrics: what the last collection of every target brought, as one page.
// /federate: the latest samples of chosen series, for a Prometheus above this one.

#include <map>
#include <string_view>

#include "daemon/api/endpoints.h"
#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "rules/promql/parser.h"

namespace tocsin::api {
namespace {

void Add(const poll::TargetPage& from, const model::Labels& labels, formats::TextPage& page) {
  page.Add(poll::VerdictsOf(from), labels, false);
  if (from.batch) page.Add(from.batch, labels, from.honor_labels);
}

// The newest sample of each series that fits a selector, no older than the lookback;
// series that have ended are left out.
Result<std::map<model::Labels, model::Sample>> LatestOf(
    const Context& context, const std::vector<std::vector<model::Matcher>>& selectors) {
  const std::int64_t now_ms = ToUnixMillis(context.clock.WallNow());
  const model::TimeRange range{now_ms - context.promql.config().lookback.count() + 1, now_ms};
  std::map<model::Labels, model::Sample> latest;
  model::SampleColumns samples;
  for (const auto& matchers : selectors) {
    TOCSIN_ASSIGN_OR_RETURN(const auto selection, context.store.Select(matchers, range));
    for (std::size_t i = 0; i < selection->size(); ++i) {
      samples.Clear();
      TOCSIN_RETURN_IF_ERROR(selection->Read(i, range, samples));
      if (samples.size() == 0 || model::IsStaleMarker(samples.values.back())) continue;
      latest[selection->labels(i)] = {samples.times_ms.back(), samples.values.back()};
    }
  }
  return latest;
}

void AppendFederated(const model::Labels& labels, const model::Sample& sample, std::string& out) {
  std::string in_braces;
  const std::string_view name = labels.Name();
  if (!model::IsPlainMetricName(name)) in_braces = model::QuoteLabelValue(name);
  const auto add = [&](std::string_view label, std::string_view value) {
    if (!in_braces.empty()) in_braces += ',';
    in_braces +=
        model::IsPlainLabelName(label) ? std::string(label) : model::QuoteLabelValue(label);
    in_braces += '=';
    in_braces += model::QuoteLabelValue(value);
  };
  for (const auto& [label, value] : labels) {
    if (label != model::kMetricName) add(label, value);
  }
  // So that the scraper, honouring labels, does not put its own there.
  if (!labels.Has("instance")) add("instance", "");
  if (model::IsPlainMetricName(name)) out += name;
  out += '{' + in_braces + "} ";
  AppendDouble(sample.value, out);
  out += ' ' + std::to_string(sample.time_ms) + '\n';
}

}  // namespace

Response AnswerFederate(const Context& context, const Request& request) {
  std::vector<std::vector<model::Matcher>> selectors;
  for (const std::string& text : request.Params("match[]")) {
    auto matchers = promql::ParseSelector(text);
    if (!matchers.ok()) return PlainError(400, matchers.error().message);
    selectors.push_back(*std::move(matchers));
  }
  const auto latest = LatestOf(context, selectors);
  if (!latest.ok()) return PlainError(500, latest.error().message);
  const model::Labels external = context.external_labels();
  std::map<std::string, std::string> families;  // Lines by metric name.
  for (const auto& [labels, sample] : *latest) {
    AppendFederated(external.Overlay(labels), sample, families[std::string(labels.Name())]);
  }
  Response response{200, std::string(formats::kTextContentType), "", {}};
  for (const auto& [name, lines] : families) {
    const bool plain = model::IsPlainMetricName(name);
    response.body +=
        "# TYPE " + (plain ? name : model::QuoteLabelValue(name)) + " untyped\n" + lines;
  }
  return response;
}

Response AnswerMetrics(const Context& context, const Request& request) {
  const auto target = request.Param("target");
  std::vector<poll::TargetPage> pages = context.poller.Pages();
  if (target) {
    std::erase_if(pages, [&](const poll::TargetPage& page) {
      return page.name != *target && page.kind + "/" + page.name != *target;
    });
    if (pages.empty()) return PlainError(404, "no target \"" + *target + "\"");
    if (pages.size() > 1) {
      std::string text = "several targets have this name, ask for one of:";
      for (const poll::TargetPage& page : pages) text += "\n" + page.kind + "/" + page.name;
      return PlainError(400, std::move(text));
    }
  }
  formats::TextPage page;
  for (const poll::TargetPage& known : pages) {
    if (known.at == WallTime()) continue;  // Not collected yet.
    // One target alone gets its job and instance from whoever scrapes it.
    Add(known, target ? model::Labels() : known.labels, page);
  }
  Response response{200, std::string(formats::kTextContentType), "", {}};
  page.AppendTo(formats::TextOptions(), response.body);
  return response;
}

}  // namespace tocsin::api
