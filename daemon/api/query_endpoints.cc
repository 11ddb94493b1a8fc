// /api/v1/query, query_range, query_exemplars, format_query and parse_query.

#include <fmt/format.h>

#include <algorithm>

#include "daemon/api/ast_json.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/api/parameters.h"
#include "rules/promql/parser.h"

namespace tocsin::api {
namespace {

constexpr std::uint64_t kMaxPoints = 11'000;  // Per series, as Prometheus.
constexpr Millis kMaxTimeout = std::chrono::hours(24);
constexpr std::size_t kMaxAnnotations = 10;  // Warnings, and infos, as Prometheus.

void LimitAnnotations(std::string_view kind, std::vector<std::string>& texts) {
  if (texts.size() <= kMaxAnnotations) return;
  const std::size_t omitted = texts.size() - kMaxAnnotations;
  texts.resize(kMaxAnnotations);
  texts.push_back(fmt::format("{} more {} annotations omitted", omitted, kind));
}

// Truncates to the parameter `limit` and says so.
template <class Rows>
void ApplyLimit(Rows& rows, std::size_t limit, std::vector<std::string>& warnings) {
  if (limit == 0 || rows.size() <= limit) return;
  rows.resize(limit);
  warnings.push_back("results truncated due to limit");
}

// Makes room for `rows` rows as long as the first one was: answers reach 100 MB, and
// text that grows bit by bit is copied and copied again.
void ReserveRows(std::size_t first_row_bytes, std::size_t rows, std::string& out) {
  constexpr std::size_t kSlack = 32;
  out.reserve(out.size() + (first_row_bytes + kSlack) * rows);
}

struct ResultText {
  std::string& out;

  void operator()(const promql::Scalar& scalar) {
    AppendJsonScalar(scalar.time_ms, scalar.value, out);
  }
  void operator()(const promql::String& string) {
    out += '[';
    AppendJsonNumber(static_cast<double>(string.time_ms) / 1000, out);
    out += ',';
    AppendJsonString(string.value, out);
    out += ']';
  }
  void operator()(const promql::Vector& vector) {
    out += '[';
    const std::size_t begin = out.size();
    for (std::size_t i = 0; i < vector.size(); ++i) {
      if (i == 1) ReserveRows(out.size() - begin, vector.size(), out);
      out += i == 0 ? "{\"metric\":" : ",{\"metric\":";
      AppendJsonLabels(vector[i].labels, out);
      out += ",\"value\":";
      AppendJsonSample(vector[i].time_ms, vector[i].value, out);
      out += '}';
    }
    out += ']';
  }
  void operator()(const promql::Matrix& matrix) {
    out += '[';
    const std::size_t begin = out.size();
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      if (i == 1) ReserveRows(out.size() - begin, matrix.size(), out);
      out += i == 0 ? "{\"metric\":" : ",{\"metric\":";
      AppendJsonLabels(matrix[i].labels, out);
      out += ",\"values\":[";
      const model::SampleColumns& samples = matrix[i].samples;
      for (std::size_t j = 0; j < samples.size(); ++j) {
        if (j > 0) out += ',';
        AppendJsonSample(samples.times_ms[j], samples.values[j], out);
      }
      out += "]}";
    }
    out += ']';
  }
};

std::string_view TypeName(const promql::QueryResult& result) {
  constexpr std::string_view kNames[] = {"scalar", "string", "vector", "matrix"};
  return kNames[result.value.index()];
}

// The member "stats" of an answer. Waiting for a turn counts as evaluation.
void AppendStats(const promql::QueryStats& stats, double seconds, std::string& out) {
  const auto timing = [&](std::string_view name, double value) {
    if (out.back() != '{') out += ',';
    AppendJsonString(name, out);
    out += ':';
    AppendJsonNumber(value, out);
  };
  out += ",\"stats\":{\"timings\":{";
  timing("evalTotalTime", seconds);
  timing("resultSortTime", 0);
  timing("queryPreparationTime", 0);
  timing("innerEvalTime", seconds);
  timing("execQueueTime", 0);
  timing("execTotalTime", seconds);
  out += "},\"samples\":{\"totalQueryableSamples\":" + std::to_string(stats.samples_read) +
         ",\"peakSamples\":" + std::to_string(stats.peak_samples) + "}}";
}

// What both kinds of query take.
struct Common {
  promql::ExprPtr expr;
  promql::QueryContext context;
  std::size_t limit = 0;
  bool with_stats = false;
  SteadyTime started{};
};

Response Answer(promql::QueryResult result, const Common& common) {
  LimitAnnotations("warning", result.warnings);
  LimitAnnotations("info", result.infos);
  const std::size_t limit = common.limit;
  if (auto* vector = std::get_if<promql::Vector>(&result.value)) {
    ApplyLimit(*vector, limit, result.warnings);
  } else if (auto* matrix = std::get_if<promql::Matrix>(&result.value)) {
    ApplyLimit(*matrix, limit, result.warnings);
  }
  std::string data = "{\"resultType\":\"";
  data += TypeName(result);
  data += "\",\"result\":";
  std::visit(ResultText{data}, result.value);
  if (common.with_stats) {
    const std::chrono::duration<double> taken = common.context.clock.SteadyNow() - common.started;
    AppendStats(result.stats, taken.count(), data);
  }
  data += '}';
  return Success(std::move(data), result.warnings, result.infos);
}

// The wrong parameter's answer, or nothing and `common` is filled.
std::optional<Response> ReadCommon(const Request& request, Common& common) {
  common.started = common.context.clock.SteadyNow();
  common.with_stats = !request.Param("stats").value_or("").empty();
  if (const auto text = request.Param("timeout"); text && !text->empty()) {
    const auto timeout = ParseApiDuration(*text);
    if (!timeout.ok()) return InvalidParameter("timeout", timeout.error().message);
    common.context.deadline = common.context.clock.SteadyNow() + std::min(*timeout, kMaxTimeout);
  }
  if (const auto text = request.Param("lookback_delta"); text && !text->empty()) {
    const auto lookback = ParseApiDuration(*text);
    if (!lookback.ok()) {
      return Failure(ErrorType::kBadData,
                     "error parsing lookback delta duration: " + lookback.error().message);
    }
    // Otherwise the default holds.
    if (*lookback > Millis(0)) common.context.lookback = *lookback;
  }
  auto expr = promql::Parse(request.Param("query").value_or(""));
  if (!expr.ok()) return InvalidParameter("query", expr.error().message);
  common.expr = *std::move(expr);
  return std::nullopt;
}

}  // namespace

Response AnswerQuery(const Context& context, const Request& request) {
  Common common{nullptr, {context.clock}, 0};
  const auto limit = ParseApiLimit(request);
  if (!limit.ok()) return InvalidParameter("limit", limit.error().message);
  common.limit = *limit;
  const auto time = ParseApiTimeParameter(request, "time", ToUnixMillis(context.clock.WallNow()));
  if (!time.ok()) return InvalidParameter("time", time.error().message);
  if (auto wrong = ReadCommon(request, common)) return *std::move(wrong);
  auto result = context.promql.Instant(*common.expr, context.store, *time, common.context);
  if (!result.ok()) return EvaluationFailure(result.error());
  return Answer(*std::move(result), common);
}

Response AnswerQueryRange(const Context& context, const Request& request) {
  const auto limit = ParseApiLimit(request);
  if (!limit.ok()) return InvalidParameter("limit", limit.error().message);
  const auto start = ParseApiTime(request.Param("start").value_or(""));
  if (!start.ok()) return InvalidParameter("start", start.error().message);
  const auto end = ParseApiTime(request.Param("end").value_or(""));
  if (!end.ok()) return InvalidParameter("end", end.error().message);
  if (*end < *start) {
    return InvalidParameter("end", "end timestamp must not be before start time");
  }
  const auto step = ParseApiDuration(request.Param("step").value_or(""));
  if (!step.ok()) return InvalidParameter("step", step.error().message);
  if (step->count() <= 0) {
    return InvalidParameter("step",
                            "zero or negative query resolution step widths are not accepted. Try "
                            "a positive integer");
  }
  const auto span = static_cast<std::uint64_t>(*end) - static_cast<std::uint64_t>(*start);
  if (span / static_cast<std::uint64_t>(step->count()) > kMaxPoints) {
    return Failure(ErrorType::kBadData,
                   "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing "
                   "the query resolution (?step=XX)");
  }
  Common common{nullptr, {context.clock}, *limit};
  if (auto wrong = ReadCommon(request, common)) return *std::move(wrong);
  auto result = context.promql.Range(*common.expr, context.store, *start, *end, step->count(),
                                     common.context);
  if (!result.ok()) {
    // A type that cannot be ranged over is the request's fault.
    if (result.error().code == ErrorCode::kInvalidArgument &&
        common.expr->type != promql::ValueType::kScalar &&
        common.expr->type != promql::ValueType::kVector) {
      return InvalidParameter("query", result.error().message);
    }
    return EvaluationFailure(result.error());
  }
  return Answer(*std::move(result), common);
}

Response AnswerFormatQuery(const Context& /*context*/, const Request& request) {
  const auto expr = promql::Parse(request.Param("query").value_or(""));
  if (!expr.ok()) return InvalidParameter("query", expr.error().message);
  std::string data;
  AppendJsonString(promql::PrettyText(**expr), data);
  return Success(std::move(data));
}

Response AnswerParseQuery(const Context& /*context*/, const Request& request) {
  const auto expr = promql::Parse(request.Param("query").value_or(""));
  if (!expr.ok()) return InvalidParameter("query", expr.error().message);
  std::string data;
  AppendExprJson(**expr, data);
  return Success(std::move(data));
}

// Exemplars are not kept; the question is judged all the same.
Response AnswerExemplars(const Context& /*context*/, const Request& request) {
  const RangeParameters range = ParseApiRange(request);
  if (!range.wrong.empty()) return InvalidParameter(range.wrong, range.error.message);
  if (range.range.to_ms < range.range.from_ms) {
    return Failure(ErrorType::kBadData, "end timestamp must not be before start timestamp");
  }
  const auto expr = promql::Parse(request.Param("query").value_or(""));
  if (!expr.ok()) return Failure(ErrorType::kBadData, expr.error().message);
  if (promql::SelectorsOf(**expr).empty()) return Response{204, "", "", {}};
  return Success("[]");
}

}  // namespace tocsin::api
