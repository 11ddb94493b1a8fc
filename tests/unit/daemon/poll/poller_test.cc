#include "daemon/poll/poller.h"

#include "daemon/base/version.h"
#include "tests/unit/daemon/poll/poller_fixture.h"

namespace tocsin::poll {
namespace {

TEST_F(PollerTest, ACollectionWritesItsSamplesAndItsVerdicts) {
  Apply({Target("primary", Good)});
  executors_.RunFor(seconds(31));
  EXPECT_EQ(Samples("pg_locks"), "0:7 15:7 ");
  EXPECT_EQ(Samples("up"), "0:1 15:1 ");
  EXPECT_EQ(Samples("pg_up"), "0:1 15:1 ");
  EXPECT_EQ(Samples("scrape_samples_scraped"), "0:1 15:1 ");
  const auto states = poller_.Snapshot();
  EXPECT_EQ(states[0].health, model::TargetHealth::kUp);
  EXPECT_EQ(states[0].samples, 1);
}

TEST_F(PollerTest, AFailedCollectionIsUpZeroWithAReasonAndEndsTheOtherSeries) {
  bool fails = false;
  Apply({Target("primary", [&](const CollectContext& context, MetricBatch& batch) -> Result<> {
    if (!fails) return Good(context, batch);
    batch.AddGauge("half_done", "", 1);
    return Error{ErrorCode::kUnavailable, "primary:5432: connection refused"};
  })});
  executors_.RunFor(seconds(16));
  fails = true;
  executors_.RunFor(seconds(30));
  EXPECT_EQ(Samples("pg_locks"), "0:7 15:stale ");
  EXPECT_EQ(Samples("up"), "0:1 15:0 30:0 ");
  EXPECT_EQ(Samples("pg_up"), "0:1 15:0 30:0 ");
  EXPECT_EQ(Samples("half_done"), "0 series");
  EXPECT_EQ(poller_.Snapshot()[0].last_error, "primary:5432: connection refused");
  EXPECT_EQ(poller_.Pages()[0].batch, nullptr);
}

// Who joins with it must not lose the verdict of a server that is down.
TEST_F(PollerTest, TheBuildInfoOfTheExporterIsThereWhateverBecomesOfTheTarget) {
  bool fails = false;
  TargetConfig target =
      Target("primary", [&](const CollectContext& context, MetricBatch& batch) -> Result<> {
        if (!fails) return Good(context, batch);
        return Error{ErrorCode::kUnavailable, "primary:5432: connection refused"};
      });
  target.labels = target.labels.With("version", "mine");
  Apply({std::move(target)});
  executors_.RunFor(seconds(16));
  fails = true;
  executors_.RunFor(seconds(30));
  EXPECT_EQ(Samples("postgres_exporter_build_info"), "0:1 15:1 30:1 ");
  EXPECT_EQ(LabelsOf("postgres_exporter_build_info").Get("exported_version"), Version());
  EXPECT_EQ(LabelsOf("postgres_exporter_build_info").Get("version"), "mine");
  const auto page = ExporterVerdictsOf(poller_.Pages()[0]);
  ASSERT_EQ(page->row_count(), 2u);
  EXPECT_EQ(page->row(0).name, "pg_up");
  EXPECT_EQ(page->row(1).name, "postgres_exporter_build_info");
}

TEST_F(PollerTest, ASeriesThatVanishesIsEndedOnce) {
  int round = 0;
  Apply({Target("primary", [&](const CollectContext&, MetricBatch& batch) {
    if (++round == 1) batch.AddGauge("gone", "", 1);
    return Result<>();
  })});
  executors_.RunFor(seconds(50));
  EXPECT_EQ(Samples("gone"), "0:1 15:stale ");
}

TEST_F(PollerTest, ALateCollectionIsSkippedAndCounted) {
  Apply({Target("slow", [&](const CollectContext&, MetricBatch&) {
    clock_.Advance(seconds(40));  // Far over its interval.
    return Result<>();
  })});
  executors_.RunFor(seconds(20));
  EXPECT_EQ(registry_
                .Counter("tocsin_poll_skipped_total",
                         "Collections not started because the one before was still in flight.")
                .Value(),
            2);
}

TEST_F(PollerTest, AHungProbeDelaysNoOtherTargetAndEndsAtItsDeadline) {
  http_.Answer("http://app/health", {tocsin::testing::ScriptedAnswer::Hang()});
  Apply({Probe("hung"), Target("primary", Good)});
  executors_.RunFor(seconds(60));
  EXPECT_EQ(Samples("pg_locks"), "0:7 15:7 30:7 45:7 ");
  for (const auto& state : poller_.Snapshot()) {
    if (state.kind == "postgres") continue;
    EXPECT_NEAR(state.last_duration_seconds, 10, 0.01);
  }
}

TEST_F(PollerTest, AnotherAttemptIsOfTheSameCollection) {
  TargetConfig target = Probe("app");
  target.parsed.make = [](const collectors::CollectorEnvironment&) {
    auto collector = std::make_unique<ProbeCollector>();
    collector->retries = 2;
    return AnyCollector(std::move(collector));
  };
  using tocsin::testing::ScriptedAnswer;
  http_.Answer("http://app/health",
               {ScriptedAnswer::Refused(), ScriptedAnswer::Hang(), ScriptedAnswer::Status(200)});
  Apply({target});
  executors_.RunFor(seconds(16));
  const auto requests = http_.requests();
  ASSERT_GE(requests.size(), 3u);
  EXPECT_EQ(requests[1].at - requests[0].at, Millis(1) + collectors::kRetryDelay);
  EXPECT_EQ(requests[2].at - requests[1].at, seconds(2) + collectors::kRetryDelay);
  EXPECT_EQ(Samples("probe_success").substr(0, 4), "0:1 ");
}

TEST_F(PollerTest, ATargetThatIsRemovedIsNotTriedAgain) {
  TargetConfig target = Probe("app");
  target.parsed.make = [](const collectors::CollectorEnvironment&) {
    auto collector = std::make_unique<ProbeCollector>();
    collector->retries = 1000;
    return AnyCollector(std::move(collector));
  };
  Apply({target});  // Nobody listens.
  executors_.RunFor(seconds(15) + Millis(150));
  Apply({});
  const std::size_t requests = http_.requests().size();
  EXPECT_GE(requests, 1u);
  executors_.RunFor(seconds(60));
  EXPECT_EQ(http_.requests().size(), requests);
}

TEST_F(PollerTest, AReloadKeepsUnchangedTargetsAndEndsRemovedOnes) {
  int made = 0;
  const auto counted = [&](const std::string& name) {
    TargetConfig target = Target(name, Good);
    const auto make = target.parsed.make;
    target.parsed.make = [&made, make](const collectors::CollectorEnvironment& environment) {
      ++made;
      return make(environment);
    };
    return target;
  };
  Apply({counted("a"), counted("b")});
  executors_.RunFor(seconds(16));
  EXPECT_EQ(Samples("pg_locks"), "2 series");
  Apply({counted("b"), counted("c")});
  EXPECT_EQ(made, 3);
  executors_.RunFor(seconds(16));
  const auto ended =
      store_.Select({*model::Matcher::Make(model::MatchOp::kEqual, "instance", "a:5432")},
                    {INT64_MIN, INT64_MAX});
  for (std::size_t i = 0; i < (*ended)->size(); ++i) {
    model::SampleColumns samples;
    ASSERT_TRUE((*ended)->Read(i, {INT64_MIN, INT64_MAX}, samples).ok());
    EXPECT_TRUE(model::IsStaleMarker(samples.values.back())) << (*ended)->labels(i).Text();
  }
}

TEST_F(PollerTest, ARowsOwnJobLabelIsKeptUnderAnotherName) {
  Apply({Target("primary", [](const CollectContext&, MetricBatch& batch) {
    const auto family = batch.DeclareFamily("queue_length", "", model::MetricType::kGauge, {"job"});
    batch.Add(family, {"mailer"}, 3);
    return Result<>();
  })});
  executors_.RunFor(seconds(16));
  const auto found =
      store_.Select({*model::Matcher::Make(model::MatchOp::kEqual, "exported_job", "mailer")},
                    {INT64_MIN, INT64_MAX});
  ASSERT_EQ((*found)->size(), 1u);
  EXPECT_EQ((*found)->labels(0).Get("job"), "postgres");
}

TEST_F(PollerTest, EveryOwnLabelKeepsItsValueHoweverManyAreContested) {
  Apply({Target("primary", [](const CollectContext&, MetricBatch& batch) {
    const auto family =
        batch.DeclareFamily("queue_length", "", model::MetricType::kGauge,
                            {"exported_job", "job", "instance", "exported_instance"});
    batch.Add(family, {"inner", "outer", "b", ""}, 3);
    return Result<>();
  })});
  executors_.RunFor(seconds(16));
  const auto found =
      store_.Select({*model::Matcher::Make(model::MatchOp::kEqual, "__name__", "queue_length")},
                    {INT64_MIN, INT64_MAX});
  ASSERT_EQ((*found)->size(), 1u);
  const model::Labels& labels = (*found)->labels(0);
  EXPECT_EQ(labels.Get("job"), "postgres");
  EXPECT_EQ(labels.Get("exported_job"), "inner");
  EXPECT_EQ(labels.Get("exported_exported_job"), "outer");
  EXPECT_EQ(labels.Get("exported_instance"), "b");
}

TEST_F(PollerTest, ADuplicateRowIsDroppedAndCounted) {
  Apply({Target("primary", [](const CollectContext&, MetricBatch& batch) {
    batch.AddGauge("twice", "", 1);
    batch.AddGauge("twice", "", 2);
    return Result<>();
  })});
  executors_.RunFor(seconds(16));
  EXPECT_EQ(Samples("twice"), "0:1 ");
}

// -- Parts --

Result<> InParts(MetricBatch& batch, const std::string& locks_error) {
  batch.BeginPart("activity");
  batch.AddGauge("connections", "", 5);
  batch.EndPart();
  batch.BeginPart("locks");
  if (locks_error.empty()) {
    batch.AddGauge("pg_locks", "", 7);
  } else {
    batch.FailPart(locks_error);
  }
  batch.EndPart();
  batch.AddGauge("of_nobody", "", 1);
  return Result<>();
}

TEST_F(PollerTest, APartThatFailsIsTellingSinceWhenAndWhatItBrings) {
  std::string error;
  Apply({Target("primary",
                [&](const CollectContext&, MetricBatch& batch) { return InParts(batch, error); })});
  executors_.RunFor(seconds(16));
  EXPECT_TRUE(poller_.Snapshot()[0].failed_parts.empty());
  error = "permission denied";
  executors_.RunFor(seconds(15));
  const WallTime since = poller_.Snapshot()[0].last_poll;
  executors_.RunFor(seconds(15));
  const auto state = poller_.Snapshot()[0];
  EXPECT_EQ(state.health, model::TargetHealth::kUp);
  ASSERT_EQ(state.failed_parts.size(), 1u);
  EXPECT_EQ(state.failed_parts[0].name, "locks");
  EXPECT_EQ(state.failed_parts[0].error, "permission denied");
  EXPECT_EQ(state.failed_parts[0].since, since);
  ASSERT_NE(state.failed_parts[0].families, nullptr);
  EXPECT_EQ(*state.failed_parts[0].families, std::vector<std::string>{"pg_locks"});
  EXPECT_EQ(Samples("pg_locks"), "0:7 15:stale ");
  error = "";
  executors_.RunFor(seconds(15));
  ASSERT_EQ(poller_.Snapshot()[0].failed_parts.size(), 1u);
  EXPECT_TRUE(poller_.Snapshot()[0].failed_parts[0].recovered_at.has_value());
  executors_.RunFor(seconds(15));
  EXPECT_TRUE(poller_.Snapshot()[0].failed_parts.empty());
}

TEST_F(PollerTest, APartThatHasNeverAnsweredBringsNobodyKnowsWhat) {
  Apply({Target("primary", [&](const CollectContext&, MetricBatch& batch) {
    return InParts(batch, "permission denied");
  })});
  executors_.RunFor(seconds(16));
  const auto state = poller_.Snapshot()[0];
  ASSERT_EQ(state.failed_parts.size(), 1u);
  EXPECT_EQ(state.failed_parts[0].families, nullptr);
}

// What the rules, told of each commit before it returns, see of the target then.
class WatchedSink : public model::SampleSink {
 public:
  explicit WatchedSink(tocsin::testing::MapStore& store) : store_(store) {}
  Result<model::SeriesRef> Resolve(const model::Labels& labels) override {
    return store_.Resolve(labels);
  }
  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override {
    auto outcome = store_.Commit(context, samples);
    if (on_commit) on_commit();
    return outcome;
  }
  std::function<void()> on_commit;

 private:
  tocsin::testing::MapStore& store_;
};

TEST_F(PollerTest, WhatFailsIsKnownBeforeItsSeriesEndAndIsWellOnlyOnceTheyAreBack) {
  std::string target_error;
  std::string part_error;
  WatchedSink sink(store_);
  MetricRegistry registry;
  Poller poller(clock_, executors_, http_, files_, sink, store_, kLookback, registry);
  std::vector<std::string> seen;
  sink.on_commit = [&] {
    const auto state = poller.Snapshot()[0];
    seen.push_back(state.health == model::TargetHealth::kUp     ? "up"
                   : state.health == model::TargetHealth::kDown ? "down: " + state.last_error
                                                                : "unknown");
    for (const auto& part : state.failed_parts) {
      seen.back() += (part.recovered_at ? " again with " : " without ") + part.name;
    }
  };
  PollConfig config;
  config.targets = {Target("primary", [&](const CollectContext&, MetricBatch& batch) -> Result<> {
    if (!target_error.empty()) return Error{ErrorCode::kUnavailable, target_error};
    return InParts(batch, part_error);
  })};
  poller.Apply(config);
  const auto poll = [&] { executors_.RunFor(seconds(15)); };
  poll();
  part_error = "time-out";
  poll();
  part_error = "";
  poll();
  target_error = "refused";
  poll();
  target_error = "";
  poll();
  poll();
  EXPECT_EQ(seen,
            (std::vector<std::string>{"unknown", "up without locks", "up without locks",
                                      "down: refused again with locks", "down: refused", "up"}));
}

}  // namespace
}  // namespace tocsin::poll
