#pragma once

// A poller in virtual time whose targets do what a test's function says.

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "daemon/poll/poller.h"
#include "tests/support/map_store.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_executor.h"

namespace tocsin::poll {

using collectors::AnyCollector;
using collectors::CollectContext;
using model::MetricBatch;
using std::chrono::seconds;

inline constexpr Millis kLookback = std::chrono::minutes(5);

inline collectors::ParsedTarget NotConfigurable(ConfigReader&, FileSystem&) { return {}; }

inline constexpr collectors::CollectorKind kDatabase{
    "postgres", "pg_up", "Is it up.", seconds(5), NotConfigurable, nullptr, "postgres_exporter"};
inline constexpr collectors::CollectorKind kProbe{"http", "", "", seconds(10), NotConfigurable};

// A collector whose behaviour is a function of the test's.
class ScriptedCollector : public collectors::Collector {
 public:
  using Script = std::function<Result<>(const CollectContext&, MetricBatch&)>;
  explicit ScriptedCollector(Script script) : script_(std::move(script)) {}
  Result<> Collect(const CollectContext& context, MetricBatch& batch) override {
    return script_(context, batch);
  }

 private:
  Script script_;
};

class ProbeCollector : public collectors::HttpCollector {
 public:
  HttpRequest Start(const CollectContext&) override {
    HttpRequest request;
    request.url = "http://app/health";
    return request;
  }
  std::optional<HttpRequest> Again(const CollectContext& context,
                                   const HttpExchange& exchange) override {
    if (!exchange.error || retries == 0) return std::nullopt;
    --retries;
    HttpRequest request = Start(context);
    request.time_limit = seconds(2);
    return request;
  }
  Result<> Finish(const CollectContext&, HttpExchange exchange, MetricBatch& batch) override {
    batch.AddGauge("probe_success", "", exchange.error ? 0 : 1);
    return Result<>();
  }

  int retries = 0;
};

class PollerTest : public ::testing::Test {
 protected:
  TargetConfig Target(const std::string& name, ScriptedCollector::Script script,
                      Millis interval = seconds(15)) {
    TargetConfig target;
    target.kind = &kDatabase;
    target.name = name;
    target.labels = model::Labels{{"job", "postgres"}, {"instance", name + ":5432"}};
    target.interval = interval;
    target.timeout = seconds(5);
    target.fingerprint = name;
    target.parsed.make = [script](const collectors::CollectorEnvironment&) {
      return AnyCollector(std::make_unique<ScriptedCollector>(script));
    };
    return target;
  }

  TargetConfig Probe(const std::string& name) {
    TargetConfig target = Target(name, nullptr);
    target.kind = &kProbe;
    target.timeout = seconds(10);
    target.parsed.make = [](const collectors::CollectorEnvironment&) {
      return AnyCollector(std::make_unique<ProbeCollector>());
    };
    return target;
  }

  void Apply(std::vector<TargetConfig> targets) {
    PollConfig config;
    config.targets = std::move(targets);
    poller_.Apply(config);
  }

  // The labels of the one series of that name.
  model::Labels LabelsOf(const std::string& name) {
    const auto all = store_.Select(
        {*model::Matcher::Make(model::MatchOp::kEqual, std::string(model::kMetricName), name)},
        {INT64_MIN, INT64_MAX});
    return (*all)->size() == 1 ? (*all)->labels(0) : model::Labels();
  }

  // The samples of the one series of that name (and instance), "t v" per line, t in seconds since
  // the first of them; a staleness marker reads "stale".
  std::string Samples(const std::string& name, const std::string& instance = {}) {
    std::vector<model::Matcher> matchers = {
        *model::Matcher::Make(model::MatchOp::kEqual, std::string(model::kMetricName), name)};
    if (!instance.empty()) {
      matchers.push_back(*model::Matcher::Make(model::MatchOp::kEqual, "instance", instance));
    }
    const auto all = store_.Select(matchers, {INT64_MIN, INT64_MAX});
    if ((*all)->size() != 1) return std::to_string((*all)->size()) + " series";
    model::SampleColumns samples;
    EXPECT_TRUE((*all)->Read(0, {INT64_MIN, INT64_MAX}, samples).ok());
    std::string out;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      out += std::to_string((samples.times_ms[i] - samples.times_ms[0]) / 1000) + ":";
      out += model::IsStaleMarker(samples.values[i])
                 ? "stale "
                 : std::to_string(static_cast<int>(samples.values[i])) + " ";
    }
    return out;
  }

  tocsin::testing::SimClock clock_;
  tocsin::testing::SimExecutors executors_{clock_};
  tocsin::testing::ScriptedHttpClient http_{clock_, executors_};
  PosixFileSystem files_;
  tocsin::testing::MapStore store_;
  MetricRegistry registry_;
  Poller poller_{clock_, executors_, http_, files_, store_, store_, kLookback, registry_};
};

inline Result<> Good(const CollectContext&, MetricBatch& batch) {
  batch.AddGauge("pg_locks", "", 7);
  return Result<>();
}

}  // namespace tocsin::poll
