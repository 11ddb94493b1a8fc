// The heartbeat of the whole daemon in virtual time: it stays out when a part that must
// work does not, and only then.

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "daemon/app/daemon.h"
#include "rules/promql/parser.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_executor.h"

namespace tocsin::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kConfig = R"(
interval: 15s
storage: { path: /data }
http:
  - { name: web, url: "http://web/health" }
host:
  - { name: self }
rules: [ /rules.yaml ]
notify:
  webhook: { url: "http://hook/" }
  heartbeat: { url: "http://beat/", every: 10s }
)";

constexpr const char* kRules =
    "groups: [ { name: g, rules: [ { alert: Quiet, expr: vector(1) == 2 } ] } ]\n";

// Lanes that can hang for good: what they were to run never runs.
class HangingLanes : public ExecutorFactory {
 public:
  explicit HangingLanes(ExecutorFactory& lanes) : lanes_(lanes) {}

  void Hang(const std::string& prefix) { hanging_.insert(prefix); }

  std::unique_ptr<Executor> NewExecutor(const std::string& name) override {
    return std::make_unique<Lane>(*this, name, lanes_.NewExecutor(name));
  }

 private:
  class Lane : public Executor {
   public:
    Lane(const HangingLanes& world, std::string name, std::unique_ptr<Executor> lane)
        : world_(world), name_(std::move(name)), lane_(std::move(lane)) {}
    TaskId Post(Task task) override { return lane_->Post(Unless(std::move(task))); }
    TaskId RunAt(SteadyTime when, Task task) override {
      return lane_->RunAt(when, Unless(std::move(task)));
    }
    bool Cancel(TaskId id) override { return lane_->Cancel(id); }

   private:
    Task Unless(Task task) const {
      return [this, task = std::move(task)] {
        for (const std::string& prefix : world_.hanging_) {
          if (name_.starts_with(prefix)) return;
        }
        task();
      };
    }

    const HangingLanes& world_;
    const std::string name_;
    const std::unique_ptr<Executor> lane_;
  };

  ExecutorFactory& lanes_;
  std::set<std::string> hanging_;
};

class DaemonHeartbeatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files_.WriteAtomically("/tocsin.yaml", kConfig).ok());
    ASSERT_TRUE(files_.WriteAtomically("/rules.yaml", kRules).ok());
    for (const char* peer : {"http://beat/", "http://hook/", "http://web/"}) {
      http_.Answer(peer, {ScriptedAnswer::Status(200)});
    }
    ConfigErrors errors;
    config::Config config = config::LoadConfig({"/tocsin.yaml", "/rules"}, files_, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    auto opened =
        app::Daemon::Open({clock_, lanes_, http_, files_, vfs_.name(), 1}, std::move(config));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    daemon_ = *std::move(opened);
    ASSERT_TRUE(daemon_->Start().ok());
  }

  std::size_t beats() const { return http_.requests("http://beat/").size(); }

  // As the daemon's own page says.
  double withheld() {
    const api::Context context = daemon_->ApiContext("test");
    const auto expr = promql::Parse("sum(tocsin_heartbeats_withheld_total)");
    EXPECT_TRUE(expr.ok());
    const auto result =
        context.promql.Instant(**expr, context.store, ToUnixMillis(clock_.WallNow()), {clock_});
    EXPECT_TRUE(result.ok());
    const auto& vector = std::get<promql::Vector>(result->value);
    return vector.empty() ? -1 : vector[0].value;
  }

  void ExpectWithheld(const std::string& why) {
    executors_.RunFor(minutes(2));
    const std::size_t before = beats();
    executors_.RunFor(minutes(2));
    EXPECT_EQ(beats(), before);
    EXPECT_GE(withheld(), 10);
    const auto healthy = daemon_->Healthy();
    ASSERT_FALSE(healthy.ok());
    EXPECT_EQ(healthy.error().message, why);
  }

  SimClock clock_;
  SimExecutors executors_{clock_};
  HangingLanes lanes_{executors_};
  ScriptedHttpClient http_{clock_, executors_};
  FaultDisk disk_{1};
  FaultVfs vfs_{disk_};
  FaultFileSystem files_{disk_, clock_};
  std::unique_ptr<app::Daemon> daemon_;
};

TEST_F(DaemonHeartbeatTest, BeatsAlsoWhileATargetFailsOrRunsIntoItsTimeOut) {
  executors_.RunFor(minutes(2));
  for (const ScriptedAnswer& sick :
       {ScriptedAnswer::Refused(), ScriptedAnswer::Status(500), ScriptedAnswer::Hang()}) {
    http_.Answer("http://web/", {sick});
    executors_.RunFor(minutes(5));
  }
  EXPECT_EQ(withheld(), 0);
  EXPECT_GE(beats(), 17u * 6);
}

TEST_F(DaemonHeartbeatTest, IsWithheldWhenATargetIsNotPolled) {
  executors_.RunFor(minutes(2));
  EXPECT_EQ(withheld(), 0);
  lanes_.Hang("http-");
  ExpectWithheld("polling of http/web is late");
}

TEST_F(DaemonHeartbeatTest, IsWithheldWhenRulesAreNotEvaluated) {
  executors_.RunFor(minutes(2));
  EXPECT_EQ(withheld(), 0);
  lanes_.Hang("rules-");
  ExpectWithheld("evaluation of group g is late");
}

}  // namespace
}  // namespace tocsin::testing
