// The daemon against Debian's Prometheus 2.42: both take the same generated series by
// remote write and answer the same generated queries over HTTP, at one time and over
// ranges. On the grid with promql.closed_left, off it (137 ms) without. A mismatch is
// made smaller before it is shown.
//
// A failing seed runs alone with TOCSIN_SIM_SEED=n; TOCSIN_SIM_SEEDS=n runs more.
//
// What 2.42 answers otherwise than 3.x, and so is not generated (query_generator.h,
// only_what_2_x_has) or set aside here (KnownDifference):
//   - histogram_fraction of classic buckets; stddev and stdvar of values that are not
//     finite; dates of values that are not finite;
//   - `by (__name__)` of series whose name falls away: 2.x drops it at once, 3.x last;
//   - a comparison that matches one series with several: 3.x refuses it even where the
//     comparison does not hold;
//   - rate and increase near zero, where a window begins long before the samples;
//   - predict_linear over a selector with @, which 2.x has wrong after the first step;
//   - the beginning of a subquery's window, which belongs to it in 2.x: off the grid
//     their ranges are 137 ms longer, so that no step stands there;
//   - atan2 drops the metric's name in 3.x;
//   - which of equal values topk and bottomk take: nobody's promise.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "daemon/formats/remote_write.h"
#include "rules/promql/parser.h"
#include "tests/oracle/generated_series.h"
#include "tests/oracle/naive_evaluator.h"
#include "tests/oracle/query_generator.h"
#include "tests/oracle/seeds.h"
#include "tests/support/daemon_process.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr int kQueriesPerSeed = 300;
constexpr std::size_t kMaxShownBytes = 1000;  // Of a difference.
constexpr std::chrono::seconds kAskLimit{10};

struct TimeSpan {
  double start = 0;
  double end = 0;
  double step = 0;  // 0: an instant query.
};

struct Answer {
  std::string error;
  std::map<std::string, double> values;  // By "labels @ time".
};

Answer ReadAnswer(const std::string& body) {
  Answer answer;
  const json root = json::parse(body, nullptr, false);
  if (!root.is_object() || root.value("status", "") != "success") {
    answer.error = root.is_object() ? root.value("error", "no error") : "no JSON: " + body;
    return answer;
  }
  const auto add = [&](const std::string& labels, const json& point) {
    const std::string place = labels + " @ " + FormatDouble(point[0].get<double>());
    answer.values[place] = ParseDouble(point[1].get<std::string>()).value();
  };
  const json& data = root["data"];
  if (data["resultType"] == "scalar") {
    add("", data["result"]);
    return answer;
  }
  for (const json& row : data["result"]) {
    const std::string labels = row["metric"].dump();
    if (row.contains("value")) add(labels, row["value"]);
    for (const json& point : row.value("values", json::array())) add(labels, point);
  }
  return answer;
}

// A server that takes remote write and answers queries.
class Server {
 public:
  explicit Server(std::string url) : url_(std::move(url)), client_(clock_) {}

  HttpExchange Send(const std::string& path, const std::string& method, std::string body,
                    std::vector<std::pair<std::string, std::string>> headers) {
    HttpRequest request;
    request.method = method;
    request.url = url_ + path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    return Fetch(client_, std::move(request), clock_.SteadyNow() + kAskLimit);
  }

  void Write(const std::vector<GeneratedSeries>& all) {
    std::vector<formats::RemoteWriteSeries> message;
    for (const GeneratedSeries& series : all) {
      formats::RemoteWriteSeries& sent = message.emplace_back();
      sent.labels = series.labels;
      for (std::size_t i = 0; i < series.samples.size(); ++i) {
        sent.samples.push_back({series.samples.times_ms[i], series.samples.values[i]});
      }
    }
    const HttpExchange exchange = Send("/api/v1/write", "POST", formats::EncodeRemoteWrite(message),
                                       formats::RemoteWriteHeaders());
    ASSERT_FALSE(exchange.error) << url_ << ": " << exchange.error->message;
    ASSERT_EQ(exchange.response.status / 100, 2) << url_ << ": " << exchange.response.body;
  }

  Answer Ask(const std::string& query, const TimeSpan& span) {
    std::string form = "query=" + PercentEncode(query);
    if (span.step == 0) {
      form += "&time=" + FormatDouble(span.start);
    } else {
      form += "&start=" + FormatDouble(span.start) + "&end=" + FormatDouble(span.end) +
              "&step=" + FormatDouble(span.step);
    }
    const HttpExchange exchange =
        Send(span.step == 0 ? "/api/v1/query" : "/api/v1/query_range", "POST", form,
             {{"Content-Type", "application/x-www-form-urlencoded"}});
    if (exchange.error) return {exchange.error->message, {}};
    return ReadAnswer(exchange.response.body);
  }

 private:
  std::string url_;
  SystemClock clock_;
  CurlHttpClient client_;
};

bool Near(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  return std::abs(a - b) <= 1e-9 * (std::abs(a) + std::abs(b)) + 1e-9;
}

class Comparison {
 public:
  Comparison(std::uint64_t seed, bool closed_left, const std::string& daemon_url,
             const std::string& prometheus_url)
      : series_(GenerateSeries(seed, {.phase_ms = closed_left ? 0 : 137, .high_counters = true})),
        closed_left_(closed_left),
        tocsin_(daemon_url),
        prometheus_(prometheus_url) {
    tocsin_.Write(series_);
    prometheus_.Write(series_);
  }

  // How often Prometheus had something to answer.
  int filled() const { return filled_; }

  // Empty if both answer the same.
  std::string Difference(const std::string& query, const TimeSpan& span) {
    if (ExtrapolatesNearZero(query)) return "";
    const Answer expected = prometheus_.Ask(query, span);
    const Answer actual = tocsin_.Ask(query, span);
    filled_ += expected.values.empty() ? 0 : 1;
    if (expected.error.empty() != actual.error.empty()) {
      if (KnownDifference(query, actual.error)) return "";
      return "  Prometheus: " + (expected.error.empty() ? "answers" : expected.error) +
             "\n  Tocsin:     " + (actual.error.empty() ? "answers" : actual.error) + "\n";
    }
    std::string out;
    for (const auto& [place, value] : expected.values) {
      const auto at = actual.values.find(place);
      if (at != actual.values.end() && Near(at->second, value)) continue;
      out += "  " + place + "\n    Prometheus: " + FormatDouble(value) + "\n    Tocsin:     " +
             (at == actual.values.end() ? "nothing" : FormatDouble(at->second)) + "\n";
    }
    for (const auto& [place, value] : actual.values) {
      if (expected.values.contains(place)) continue;
      out +=
          "  " + place + "\n    Prometheus: nothing\n    Tocsin:     " + FormatDouble(value) + "\n";
    }
    if (out.empty() || Ambiguous(query, span)) return "";
    return out.size() <= kMaxShownBytes ? out : out.substr(0, kMaxShownBytes) + "…\n";
  }

 private:
  // Not generated, but met on the way to a smaller query.
  static bool ExtrapolatesNearZero(const std::string& query) {
    static const std::regex kRateOfGauge(R"((rate|increase)\(\(*gauge)");
    return std::regex_search(query, kRateOfGauge);
  }

  static bool KnownDifference(const std::string& query, const std::string& error) {
    return error.find("multiple matches for labels") != std::string::npos &&
           std::regex_search(query, std::regex(R"( (==|!=|<=|>=|<|>) )"));
  }

  // Whether topk or bottomk had to take one of equals.
  bool Ambiguous(const std::string& query, const TimeSpan& span) {
    if (query.find("topk") == std::string::npos && query.find("bottomk") == std::string::npos) {
      return false;
    }
    const auto expr = promql::Parse(query);
    if (!expr.ok()) return false;
    const auto ms = [](double seconds) { return std::llround(seconds * 1000); };
    NaiveOptions options;
    options.closed_left = closed_left_;
    options.start_ms = ms(span.start);
    options.end_ms = ms(span.end);
    NaiveEvaluator naive(series_, options);
    for (std::int64_t time = ms(span.start); time <= ms(span.end);
         time += span.step == 0 ? 1 : ms(span.step)) {
      if (!naive.At(**expr, time).ok()) break;
    }
    return naive.ambiguous();
  }

  std::vector<GeneratedSeries> series_;
  int filled_ = 0;
  bool closed_left_;
  Server tocsin_;
  Server prometheus_;
};

void RunSeed(std::uint64_t seed, bool closed_left) {
  auto daemon = DaemonProcess::Start(
      std::string("web: { accept_remote_write: true }\npromql: { closed_left: ") +
      (closed_left ? "true" : "false") + " }\n");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  const auto prometheus = PrometheusServer::Start(
      "{}\n", {"--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver"});
  ASSERT_TRUE(prometheus.ok()) << "install prometheus: " << prometheus.error().message;
  Comparison comparison(seed, closed_left, (*daemon)->Url(""), (*prometheus)->Url(""));
  if (::testing::Test::HasFatalFailure()) return;
  QueryGenerator generator(seed,
                           {.only_what_2_x_has = true, .subqueries_off_the_grid = !closed_left});
  const std::vector<TimeSpan> spans = {{471, 471, 0}, {300, 300, 0}, {33.25, 33.25, 0},
                                       {60, 420, 60}, {0, 330, 30},  {15, 600, 45}};
  for (int i = 0; i < kQueriesPerSeed; ++i) {
    QueryTree query = generator.Next();
    const TimeSpan& span = spans[static_cast<std::size_t>(i) % spans.size()];
    if (comparison.Difference(query.Text(), span).empty()) continue;
    query = Shrink(std::move(query), [&](const QueryTree& smaller) {
      return !comparison.Difference(smaller.Text(), span).empty();
    });
    ADD_FAILURE() << query.Text() << "\n  from " << span.start << " to " << span.end << " step "
                  << span.step << "\n"
                  << comparison.Difference(query.Text(), span);
  }
  EXPECT_GT(comparison.filled(), kQueriesPerSeed / 4);
}

TEST(PrometheusOracleTest, OnTheGridWithClosedLeftEndsBothAnswerTheSame) {
  for (const std::uint64_t seed : Seeds(2)) {
    SCOPED_TRACE("TOCSIN_SIM_SEED=" + std::to_string(seed));
    RunSeed(seed, true);
  }
}

TEST(PrometheusOracleTest, OffTheGridBothAnswerTheSame) {
  for (const std::uint64_t seed : Seeds(2)) {
    SCOPED_TRACE("TOCSIN_SIM_SEED=" + std::to_string(seed));
    RunSeed(seed, false);
  }
}

}  // namespace
}  // namespace tocsin::testing
