// What a poller makes of what the process before it left behind.

#include "tests/unit/daemon/poll/poller_fixture.h"

namespace tocsin::poll {
namespace {

constexpr seconds kDownTime{100};

class RestartTest : public PollerTest {
 protected:
  void PollAgain(ScriptedCollector::Script script) {
    clock_.Advance(kDownTime);
    again_ = std::make_unique<Poller>(clock_, executors_, http_, files_, store_, store_, kLookback,
                                      registry_);
    PollConfig config;
    config.targets = {Target("primary", std::move(script))};
    again_->Apply(config);
    executors_.RunFor(seconds(16));
  }

  std::unique_ptr<Poller> again_;
};

TEST_F(RestartTest, KeepsTheTargetsPhase) {
  const auto phase = [](const Poller& poller) {
    return ToUnixMillis(poller.Snapshot()[0].last_poll) % 15'000;
  };
  Apply({Target("primary", Good)});
  executors_.RunFor(seconds(16));
  const auto before = phase(poller_);
  poller_.Stop();
  PollAgain(Good);
  EXPECT_EQ(phase(*again_), before);
}

TEST_F(RestartTest, ATargetThatIsSilentFromTheStartEndsWhatItHadBefore) {
  Apply({Target("primary", Good), Target("other", Good)});
  executors_.RunFor(seconds(16));
  poller_.Stop();
  const auto labels = [](const char* name, const char* instance) {
    return model::Labels{{"__name__", name}, {"job", "postgres"}, {"instance", instance}};
  };
  const std::int64_t now = ToUnixMillis(clock_.WallNow());
  store_.Put(labels("ALERTS", "primary:5432"), now, 1);
  store_.Put(labels("instance:locks:max", "primary:5432"), now, 1);
  store_.Put(labels("long_gone", "primary:5432"), now - 7'200'000, 1);
  // Somebody else writes it, in this life too.
  store_.Put(labels("pushed", "primary:5432"), now, 1);
  store_.Put(labels("pushed", "primary:5432"), now + Millis(kDownTime).count(), 1);
  PollAgain([](const CollectContext&, MetricBatch&) -> Result<> {
    return Error{ErrorCode::kUnavailable, "connection refused"};
  });
  executors_.RunFor(seconds(15));  // Ended once.
  EXPECT_EQ(Samples("pg_locks", "primary:5432"), "0:7 120:stale ");
  EXPECT_EQ(Samples("pg_locks", "other:5432"), "0:7 ");
  EXPECT_EQ(Samples("up", "primary:5432"), "0:1 120:0 135:0 ");
  for (const char* name : {"ALERTS", "instance:locks:max", "long_gone"}) {
    EXPECT_EQ(Samples(name), "0:1 ") << name;
  }
  EXPECT_EQ(Samples("pushed"), "0:1 100:1 ");
}

TEST_F(RestartTest, OnlyTheFirstCollectionLooksBack) {
  Apply({Target("primary", Good)});
  executors_.RunFor(seconds(16));
  poller_.Stop();
  int round = 0;
  PollAgain([&](const CollectContext&, MetricBatch&) -> Result<> {
    if (++round == 1) return Result<>();
    return Error{ErrorCode::kUnavailable, "connection refused"};
  });
  executors_.RunFor(seconds(15));
  EXPECT_EQ(Samples("pg_locks"), "0:7 ");
}

}  // namespace
}  // namespace tocsin::poll
