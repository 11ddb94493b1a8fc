// What a steady daemon spends its time on: a page read, a poll committed, a rule
// evaluated. Each reports its time per item; compare runs of one machine only.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/store/store.h"
#include "rules/promql/engine.h"
#include "rules/promql/parser.h"

namespace tocsin {
namespace {

constexpr std::int64_t kIntervalMs = 15'000;

std::string PageOf(int series) {
  std::string page = "# HELP requests_total Requests.\n# TYPE requests_total counter\n";
  for (int i = 0; i < series; ++i) {
    page += "requests_total{code=\"" + std::to_string(200 + i % 5) + "\",path=\"/p" +
            std::to_string(i) + "\"} " + std::to_string(i * 7) + "\n";
  }
  return page;
}

void ParseAPage(benchmark::State& state) {
  const std::string page = PageOf(static_cast<int>(state.range(0)));
  model::MetricBatch batch;
  for (auto _ : state) {
    batch.Clear();
    const auto parsed = formats::ParseExposition(page, formats::ParseOptions(), batch);
    benchmark::DoNotOptimize(parsed.ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ParseAPage)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// A store in memory with `series` counters, 20 samples each.
class FilledStore {
 public:
  explicit FilledStore(int series) {
    store_ = *store::Store::Open(store::StoreConfig(), clock_, executors_, files_, registry_);
    for (int i = 0; i < series; ++i) {
      refs_.push_back(*store_->Resolve(model::Labels{{"__name__", "requests_total"},
                                                     {"code", std::to_string(200 + i % 5)},
                                                     {"instance", "app"},
                                                     {"path", "/p" + std::to_string(i)}}));
    }
    for (int round = 0; round < 20; ++round) Commit();
  }

  void Commit() {
    time_ms_ += kIntervalMs;
    samples_.clear();
    for (std::size_t i = 0; i < refs_.size(); ++i) {
      const auto value = static_cast<double>(time_ms_ / 1000 * static_cast<std::int64_t>(i % 97));
      samples_.push_back({&refs_[i], time_ms_, value});
    }
    const auto outcome = store_->Commit({}, samples_);
    benchmark::DoNotOptimize(outcome.ok());
  }

  const store::Store& store() const { return *store_; }
  std::int64_t time_ms() const { return time_ms_; }
  const Clock& clock() const { return clock_; }

 private:
  SystemClock clock_;
  ThreadExecutors executors_{clock_};
  PosixFileSystem files_;
  MetricRegistry registry_;
  std::unique_ptr<store::Store> store_;
  std::vector<model::SeriesRef> refs_;
  std::vector<model::SeriesSample> samples_;
  std::int64_t time_ms_ = 1'700'000'000'000;
};

void CommitAPoll(benchmark::State& state) {
  FilledStore filled(static_cast<int>(state.range(0)));
  for (auto _ : state) filled.Commit();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(CommitAPoll)->Arg(1'000)->Arg(40'000)->Unit(benchmark::kMillisecond);

void Evaluate(benchmark::State& state, const std::string& expression) {
  const FilledStore filled(static_cast<int>(state.range(0)));
  const promql::Engine engine{promql::PromqlConfig()};
  const auto expr = *promql::Parse(expression);
  for (auto _ : state) {
    const auto result = engine.Instant(*expr, filled.store(), filled.time_ms(), {filled.clock()});
    benchmark::DoNotOptimize(result.ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(Evaluate, sum_by_rate, "sum by (code) (rate(requests_total[5m]))")
    ->Arg(40'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Evaluate, threshold, "requests_total > 1e18")
    ->Arg(40'000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tocsin
