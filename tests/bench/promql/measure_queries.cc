#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/base/http_client.h"
#include "daemon/formats/remote_write.h"
#include "tests/bench/promql/measure.h"

namespace tocsin::bench {
namespace {

using nlohmann::json;

constexpr std::size_t kSeriesPerWrite = 2'000;
constexpr int kRoundsPerWrite = 20;
constexpr std::chrono::seconds kRest{35};  // Both give memory back in their own time.
constexpr std::chrono::seconds kRulesLimit{180};
constexpr int kRules = 1'000;

struct QueryWork {
  std::string work;
  std::string expression;
  bool range = false;
  double goal = 0;
};

const std::vector<QueryWork>& Queries() {
  static const std::vector<QueryWork> kQueries = {
      {"instant sum by (code) (rate(m[5m])), 40,000 series",
       "sum by (code) (rate(requests_total[5m]))", false, 10},
      {"instant rate(m[5m]), 100,000 series, whole answer",
       "rate({__name__=~\"requests_total|load_level|latency_seconds_bucket|temperature\"}[5m])",
       false, 6},
      {"threshold over 40,000 gauges, none true", "load_level > 1000000", false, 10},
      {"histogram_quantile(0.95, rate(…)), 10,000 buckets",
       "histogram_quantile(0.95, rate(latency_seconds_bucket[5m]))", false, 6},
      {"range 1 h at 15 s, sum(rate(m[5m])), 40,000 series", "sum(rate(requests_total[5m]))", true,
       8},
      {"one series, instant", "requests_total{instance=\"app-123\",path=\"/p45\"}", false, 2},
  };
  return kQueries;
}

std::string TimeText(std::int64_t time_ms) {
  return fmt::format("{}.{:03}", time_ms / 1000, time_ms % 1000);
}

std::string Path(const QueryWork& query, std::int64_t time_ms) {
  const std::string expression = PercentEncode(query.expression);
  if (!query.range) {
    return fmt::format("/api/v1/query?query={}&time={}", expression, TimeText(time_ms));
  }
  return fmt::format("/api/v1/query_range?query={}&start={}&end={}&step=15", expression,
                     TimeText(time_ms - kRoundsPerHour * kRoundMs), TimeText(time_ms));
}

std::vector<std::string> RemoteWrites(const Workload& workload, std::int64_t first_round,
                                      int rounds, std::int64_t first_ms, std::size_t from) {
  std::vector<formats::RemoteWriteSeries> series;
  const std::size_t until = std::min(workload.size(), from + kSeriesPerWrite);
  for (std::size_t number = from; number < until; ++number) {
    auto& written = series.emplace_back();
    written.labels = workload.labels(number);
    for (int round = 0; round < rounds; ++round) {
      written.samples.push_back(
          {first_ms + round * kRoundMs, Workload::Value(number, first_round + round)});
    }
  }
  return {formats::EncodeRemoteWrite(series)};
}

// Both get the same bytes, block of rounds by block of rounds.
Result<> Feed(Pair& pair, const Workload& workload, std::int64_t first_round, int rounds,
              std::int64_t first_ms) {
  for (int done = 0; done < rounds; done += kRoundsPerWrite) {
    const int block = std::min(kRoundsPerWrite, rounds - done);
    for (std::size_t from = 0; from < workload.size(); from += kSeriesPerWrite) {
      for (const std::string& body :
           RemoteWrites(workload, first_round + done, block, first_ms + done * kRoundMs, from)) {
        TOCSIN_RETURN_IF_ERROR(pair.prometheus->Write(body));
        TOCSIN_RETURN_IF_ERROR(pair.tocsin->Write(body));
      }
    }
  }
  return {};
}

// The shorter a work is, the more one run of it says of the machine.
int RunsOf(const QueryWork& query, const Effort& effort) {
  if (query.range) return effort.range_runs;
  if (query.work.starts_with("one series")) return effort.one_series_runs;
  if (query.work.starts_with("histogram")) return 4 * effort.instant_runs;
  return effort.instant_runs;
}

// How many series an answer has; both servers must agree before times are compared.
std::size_t SeriesIn(const std::string& body) {
  std::size_t count = 0;
  constexpr std::string_view kMetric = "{\"metric\":";
  for (std::size_t at = body.find(kMetric); at != body.npos; at = body.find(kMetric, at + 1)) {
    ++count;
  }
  return count;
}

Result<Row> MeasureQuery(Pair& pair, const QueryWork& query, std::int64_t end_ms, int runs) {
  Row row{query.work, "ms", false, query.goal, {}, {}};
  for (int run = -1; run < runs; ++run) {  // The first one warms both up.
    // Never the same time twice, and off the grid of the samples.
    const std::int64_t time_ms = end_ms - (run + 2) * 137;
    const std::string path = Path(query, time_ms);
    TOCSIN_ASSIGN_OR_RETURN(const auto prometheus, pair.prometheus->Query(path));
    TOCSIN_ASSIGN_OR_RETURN(const auto tocsin, pair.tocsin->Query(path));
    if (SeriesIn(prometheus.body) != SeriesIn(tocsin.body)) {
      return Error{ErrorCode::kInternal,
                   fmt::format("{}: Prometheus answered {} series, Tocsin {}", path,
                               SeriesIn(prometheus.body), SeriesIn(tocsin.body))};
    }
    if (run < 0) continue;
    row.prometheus.push_back(prometheus.seconds * 1000);
    row.tocsin.push_back(tocsin.seconds * 1000);
  }
  return row;
}

Row MemoryRow(const std::string& when, const Pair& pair) {
  constexpr double kMegabyte = 1e6;
  return {"resident memory, 100,000 series, 1 h at 15 s, " + when,
          "MB",
          false,
          4,
          {static_cast<double>(pair.prometheus->ResidentBytes()) / kMegabyte},
          {static_cast<double>(pair.tocsin->ResidentBytes()) / kMegabyte}};
}

std::string Rules() {
  std::string rules = "groups:\n- name: bench\n  interval: 1s\n  rules:\n";
  for (int rule = 0; rule < kRules; ++rule) {
    rules += fmt::format(
        "  - alert: Rule{0}\n"
        "    expr: sum by (i) (rate(requests_total{{grp=\"g{0:04}\"}}[5m])) > 1000000\n",
        rule);
  }
  return rules;
}

struct GroupEvaluation {
  std::string at;
  double seconds = 0;
};

Result<GroupEvaluation> LastEvaluation(Server& server) {
  TOCSIN_ASSIGN_OR_RETURN(const auto answer, server.Query("/api/v1/rules"));
  const json groups = json::parse(answer.body)["data"]["groups"];
  if (groups.empty()) return GroupEvaluation{};
  return GroupEvaluation{groups[0]["lastEvaluation"], groups[0]["evaluationTime"]};
}

// Rules per second of the group's own evaluationTime, one value per evaluation.
Result<std::vector<double>> RulesPerSecond(Server& server, int evaluations) {
  std::vector<double> speeds;
  std::string seen;
  const auto limit = std::chrono::steady_clock::now() + kRulesLimit;
  while (static_cast<int>(speeds.size()) <= evaluations) {
    if (std::chrono::steady_clock::now() > limit) {
      return Error{ErrorCode::kDeadlineExceeded, server.name() + ": too few rule evaluations"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    TOCSIN_ASSIGN_OR_RETURN(const auto evaluation, LastEvaluation(server));
    if (evaluation.at == seen || evaluation.seconds <= 0) continue;
    seen = evaluation.at;
    speeds.push_back(kRules / evaluation.seconds);
  }
  speeds.erase(speeds.begin());  // The first one is cold.
  return speeds;
}

Result<Row> MeasureRules(Pair& pair, int evaluations) {
  Row row{"1,000 alert rules over 10,000 series, by evaluationTime", "rules/s", true, 10, {}, {}};
  const Work rules{Rules(), "", 0};
  TOCSIN_RETURN_IF_ERROR(pair.prometheus->Reload(rules));
  TOCSIN_ASSIGN_OR_RETURN(row.prometheus, RulesPerSecond(*pair.prometheus, evaluations));
  TOCSIN_RETURN_IF_ERROR(pair.prometheus->Reload(Work()));
  TOCSIN_RETURN_IF_ERROR(pair.tocsin->Reload(rules));
  TOCSIN_ASSIGN_OR_RETURN(row.tocsin, RulesPerSecond(*pair.tocsin, evaluations));
  return row;
}

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<Pair> Pair::Start(const std::string& tocsin_program, const Work& work) {
  Pair pair;
  TOCSIN_ASSIGN_OR_RETURN(pair.prometheus,
                          Server::Start(Server::Kind::kPrometheus, "prometheus", work));
  TOCSIN_ASSIGN_OR_RETURN(pair.tocsin, Server::Start(Server::Kind::kTocsin, tocsin_program, work));
  return pair;
}

Result<std::vector<Row>> MeasureQueries(Pair& pair, const Workload& workload,
                                        const Effort& effort) {
  std::vector<Row> rows;
  const std::int64_t end_ms = NowMs() / kRoundMs * kRoundMs;
  const std::int64_t first_ms = end_ms - (kRoundsPerHour - 1) * kRoundMs;
  TOCSIN_RETURN_IF_ERROR(Feed(pair, workload, 0, kRoundsPerHour, first_ms));
  std::this_thread::sleep_for(kRest);
  const Row before = MemoryRow("before queries", pair);
  for (const QueryWork& query : Queries()) {
    TOCSIN_ASSIGN_OR_RETURN(Row row, MeasureQuery(pair, query, end_ms, RunsOf(query, effort)));
    rows.push_back(std::move(row));
  }
  std::this_thread::sleep_for(kRest);
  rows.push_back(before);
  rows.push_back(MemoryRow("after queries", pair));
  // The rules look at now: up to here what has gone by since is missing.
  const std::int64_t missing = (NowMs() - end_ms) / kRoundMs;
  TOCSIN_RETURN_IF_ERROR(
      Feed(pair, workload, kRoundsPerHour, static_cast<int>(missing), end_ms + kRoundMs));
  TOCSIN_ASSIGN_OR_RETURN(Row rules, MeasureRules(pair, effort.rule_evaluations));
  rows.insert(rows.begin(), std::move(rules));
  return rows;
}

}  // namespace tocsin::bench
