// What a steady daemon spends its time on: a page read, a scrape committed, a query
// answered, on the data of `./dev bench promql` but within one process, for a profiler
// to look at. Compare runs of one machine only.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "daemon/formats/exposition.h"
#include "daemon/formats/repeated_page.h"
#include "daemon/poll/series_cache.h"
#include "daemon/store/store.h"
#include "rules/promql/engine.h"
#include "rules/promql/parser.h"
#include "tests/bench/promql/workload.h"

namespace tocsin {
namespace {

using bench::kRoundMs;
using bench::Workload;

const Workload& TheWorkload() {
  static const Workload workload;
  return workload;
}

void ParseAPage(benchmark::State& state) {
  const std::string page = TheWorkload().Page(0);
  model::MetricBatch batch;
  for (auto _ : state) {
    batch.Clear();
    const auto parsed = formats::ParseExposition(page, formats::ParseOptions(), batch);
    benchmark::DoNotOptimize(parsed.ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch.row_count()));
}
BENCHMARK(ParseAPage)->Unit(benchmark::kMillisecond);

// A store in memory with an hour of the workload.
class FilledStore {
 public:
  FilledStore() {
    const auto before = static_cast<double>(mallinfo2().uordblks);
    store_ = *store::Store::Open(store::StoreConfig(), clock_, executors_, files_, registry_);
    for (std::size_t series = 0; series < TheWorkload().size(); ++series) {
      refs_.push_back(*store_->Resolve(TheWorkload().labels(series)));
    }
    samples_.resize(refs_.size());
    while (round_ < bench::kRoundsPerHour) Commit();
    const auto after = static_cast<double>(mallinfo2().uordblks);
    bytes_per_series_ = (after - before) / static_cast<double>(refs_.size());
  }

  void Commit() {
    const std::int64_t time_ms = TimeOf(round_);
    for (std::size_t i = 0; i < refs_.size(); ++i) {
      samples_[i] = {&refs_[i], time_ms, Workload::Value(i, round_)};
    }
    ++round_;
    const auto outcome = store_->Commit({}, samples_);
    benchmark::DoNotOptimize(outcome.ok());
  }

  store::Store& store() { return *store_; }
  static std::int64_t TimeOf(std::int64_t round) { return 1'700'000'000'000 + round * kRoundMs; }
  std::int64_t last_ms() const { return TimeOf(round_ - 1); }
  const Clock& clock() const { return clock_; }
  double bytes_per_series() const { return bytes_per_series_; }

 private:
  SystemClock clock_;
  ThreadExecutors executors_{clock_};
  PosixFileSystem files_;
  MetricRegistry registry_;
  std::unique_ptr<store::Store> store_;
  std::vector<model::SeriesRef> refs_;
  std::vector<model::SeriesSample> samples_;
  std::int64_t round_ = 0;
  double bytes_per_series_ = 0;
};

FilledStore& TheStore() {
  static FilledStore filled;
  return filled;
}

// From a page's text to the store's memory, as a target's loop does it.
void ScrapeAPage(benchmark::State& state) {
  SystemClock clock;
  ThreadExecutors executors(clock);
  PosixFileSystem files;
  MetricRegistry registry;
  const auto store = *store::Store::Open(store::StoreConfig(), clock, executors, files, registry);
  const std::vector<std::string> pages = {TheWorkload().Page(0), TheWorkload().Page(1)};
  poll::SeriesCache cache(*store, model::Labels{{"job", "page"}, {"instance", "a:80"}}, false);
  formats::RepeatedPage reader;
  model::MetricBatch batch;
  std::vector<model::SeriesSample> samples;
  std::int64_t round = 0;
  for (auto _ : state) {
    batch.Clear();
    const auto parsed =
        reader.Parse(pages[static_cast<std::size_t>(round) % 2], formats::ParseOptions(), batch);
    benchmark::DoNotOptimize(parsed.ok());
    const std::int64_t time_ms = FilledStore::TimeOf(round++);
    samples.clear();
    cache.Begin(&batch);
    const auto known = cache.FindAgain();
    for (std::size_t i = 0; i < batch.row_count(); ++i) {
      const auto* series = known.empty() ? cache.Find(i, true)->series : &known[i];
      samples.push_back({series, time_ms, batch.number(i)});
    }
    benchmark::DoNotOptimize(cache.TakeVanished().empty());
    benchmark::DoNotOptimize(store->Commit({}, samples).ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(samples.size()));
}
BENCHMARK(ScrapeAPage)->Unit(benchmark::kMillisecond)->Iterations(240);

void Instant(benchmark::State& state, const std::string& expression) {
  FilledStore& filled = TheStore();
  const promql::Engine engine{promql::PromqlConfig()};
  const auto expr = *promql::Parse(expression);
  std::int64_t run = 0;
  for (auto _ : state) {
    const auto result = engine.Instant(*expr, filled.store(), filled.last_ms() - run++ % 15 * 137,
                                       {filled.clock()});
    benchmark::DoNotOptimize(result.ok());
  }
  state.counters["bytes/series"] = filled.bytes_per_series();
}
BENCHMARK_CAPTURE(Instant, sum_by_rate, "sum by (code) (rate(requests_total[5m]))")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(
    Instant, rate_of_all,
    "rate({__name__=~\"requests_total|load_level|latency_seconds_bucket|temperature\"}[5m])")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Instant, threshold, "load_level > 1000000")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Instant, quantile, "histogram_quantile(0.95, rate(latency_seconds_bucket[5m]))")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Instant, rule, "sum by (i) (rate(requests_total{grp=\"g0123\"}[5m])) > 1e6")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Instant, one_series, "requests_total{instance=\"app-123\",path=\"/p45\"}")
    ->Unit(benchmark::kMicrosecond);

void Range(benchmark::State& state, const std::string& expression) {
  FilledStore& filled = TheStore();
  const promql::Engine engine{promql::PromqlConfig()};
  const auto expr = *promql::Parse(expression);
  std::int64_t run = 0;
  for (auto _ : state) {
    const std::int64_t end_ms = filled.last_ms() - run++ % 15 * 137;
    const auto result =
        engine.Range(*expr, filled.store(), end_ms - bench::kRoundsPerHour * kRoundMs, end_ms,
                     kRoundMs, {filled.clock()});
    benchmark::DoNotOptimize(result.ok());
  }
}
BENCHMARK_CAPTURE(Range, sum_rate, "sum(rate(requests_total[5m]))")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tocsin
