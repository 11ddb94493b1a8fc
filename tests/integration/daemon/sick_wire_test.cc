// A server that is reached and talks wrongly: accepts and never answers, drips bytes,
// answers nonsense, dies in mid-answer. Real servers behind a relay that does it, to
// the daemon's kept connection as well as to new ones.

#include "tests/integration/daemon/watched_host.h"

namespace tocsin::testing {
namespace {

using Fault = FaultyRelay::Fault;

class SickWireTest : public WatchedHost, public ::testing::WithParamInterface<const char*> {};

TEST_P(SickWireTest, IsToldDeadInTimeAndComesBackAndNobodyElseNotices) {
  const std::string patient = GetParam();
  ASSERT_NO_FATAL_FAILURE(Start(patient, Way::kThroughRelays));
  const auto heal = [&] { relay_->Set(Fault::kNone); };
  for (const auto& [trouble, fault] :
       {std::pair("never answers", Fault::kSilence), std::pair("drips", Fault::kDrip),
        std::pair("nonsense", Fault::kNonsense), std::pair("dies in mid-answer", Fault::kCut)}) {
    const int victims = relay_->victims();
    WalkThrough(
        patient, trouble, [&, fault = fault] { relay_->Set(fault); }, heal);
    EXPECT_GT(relay_->victims(), victims);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SickWireTest,
                         ::testing::Values("postgres", "pgbouncer", "redis", "http", "prometheus"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tocsin::testing
