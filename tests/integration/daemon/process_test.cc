// The program as a user meets it: broken files, reload, signals, ports.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;

TEST(ProcessTest, ABrokenConfigurationIsRefusedWithAllItsErrorsAndExitTwo) {
  TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.File("tocsin.yaml");
  ASSERT_TRUE(files.WriteAtomically(path, "intervall: 15s\nhost: [ { name: self, x: 1 } ]\n").ok());
  const auto run = RunTocsin({"run", "--config", path});
  EXPECT_EQ(run.status, 2);
  EXPECT_NE(run.output.find("tocsin.yaml:1:1: "), run.output.npos) << run.output;
  EXPECT_NE(run.output.find("did you mean \"interval\"?"), run.output.npos) << run.output;
  EXPECT_NE(run.output.find("tocsin.yaml:2:23: "), run.output.npos) << run.output;
  EXPECT_EQ(RunTocsin({"check", "config", path}).status, 1);
}

TEST(ProcessTest, WrongUseExitsTwoAndHelpExitsZero) {
  EXPECT_EQ(RunTocsin({}).status, 2);
  const auto unknown = RunTocsin({"qery"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.output.find("unknown subcommand \"qery\" (did you mean \"query\"?)"),
            unknown.output.npos)
      << unknown.output;
  EXPECT_EQ(RunTocsin({"check", "rules"}).status, 2);
  for (const char* command : {"run", "check", "test", "query", "alerts", "version"}) {
    const auto help = RunTocsin({command, "--help"});
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_NE(help.output.find("Example: tocsin"), help.output.npos) << help.output;
  }
}

TEST(ProcessTest, SigtermEndsItWithinFiveSeconds) {
  auto daemon = DaemonProcess::Start("host: [ { name: self } ]");
  ASSERT_TRUE(daemon.ok()) << daemon.error().message;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ((*daemon)->process().Stop(), 0) << (*daemon)->Output();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
}

TEST(ProcessTest, ABadReloadChangesNothingAndAGoodOneIsTakenOver) {
  auto started = DaemonProcess::Start("interval: 1s\nhost: [ { name: before } ]");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  ASSERT_TRUE(daemon.WaitForHealth("before", "up"));

  daemon.WriteConfig("interval: 1s\nhost: [ { name: after, nonsense: 1 } ]");
  const HttpResponse refused = daemon.Get("/-/reload", "POST");
  EXPECT_EQ(refused.status, 500);
  EXPECT_NE(refused.body.find("tocsin.yaml:2:"), refused.body.npos) << refused.body;
  daemon.process().Signal(SIGHUP);
  EXPECT_TRUE(daemon.process().WaitForOutput("the new configuration is refused"));
  EXPECT_TRUE(daemon.FindTarget("before").has_value());
  EXPECT_FALSE(daemon.FindTarget("after").has_value());

  daemon.WriteConfig("interval: 1s\nhost: [ { name: after } ]");
  daemon.process().Signal(SIGHUP);
  EXPECT_TRUE(daemon.WaitForHealth("after", "up"));
  EXPECT_FALSE(daemon.FindTarget("before").has_value());
}

TEST(ProcessTest, AReloadWithABrokenRuleFileChangesNothing) {
  TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.File("rules.yaml");
  const auto write = [&](const std::string& rules) {
    const std::string text = "groups:\n- name: g\n  interval: 1s\n  rules:\n" + rules;
    ASSERT_TRUE(files.WriteAtomically(path, text).ok());
  };
  write("  - { alert: Before, expr: vector(1) }\n");
  auto started =
      DaemonProcess::Start("interval: 1s\nhost: [ { name: before } ]\nrules: [ '" + path + "' ]\n");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  ASSERT_TRUE(daemon.WaitForAlert("Before", "firing"));
  const std::string before = daemon.Get("/api/v1/alerts").body;

  write("  - { alert: After, expr: vector(1) }\n  - { alert: Broken, expr: vector( }\n");
  daemon.WriteConfig("interval: 1s\nhost: [ { name: after } ]\nrules: [ '" + path + "' ]\n");
  const HttpResponse refused = daemon.Get("/-/reload", "POST");
  EXPECT_EQ(refused.status, 500);
  EXPECT_NE(refused.body.find("rules.yaml:6:"), refused.body.npos) << refused.body;
  const std::string evaluations = "sum(tocsin_rule_group_iterations_total)";
  const auto seen = daemon.Query(evaluations).value_or(0);
  ASSERT_TRUE(WaitUntil([&] { return daemon.Query(evaluations).value_or(0) >= seen + 2; }));
  EXPECT_EQ(daemon.Get("/api/v1/alerts").body, before);
  EXPECT_FALSE(daemon.FindTarget("after").has_value());

  write("  - { alert: After, expr: vector(1) }\n");
  EXPECT_EQ(daemon.Get("/-/reload", "POST").status, 200);
  EXPECT_TRUE(daemon.WaitForAlert("After", "firing"));
  EXPECT_TRUE(daemon.WaitForAlert("Before", ""));
}

TEST(ProcessTest, APortInUseIsAnErrorThatNamesIt) {
  auto first = DaemonProcess::Start("host: [ { name: self } ]");
  ASSERT_TRUE(first.ok()) << first.error().message;
  TemporaryFolder folder;
  PosixFileSystem files;
  const std::string address = (*first)->Url("").substr(7);
  ASSERT_TRUE(files
                  .WriteAtomically(
                      folder.File("t.yaml"),
                      "listen: " + address + "\nstorage: { path: " + folder.path() + "/data }\n")
                  .ok());
  const auto second = RunTocsin({"run", "--config", folder.File("t.yaml")});
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.output.find("cannot listen on " + address), second.output.npos) << second.output;
}

TEST(ProcessTest, SamplesAndPhaseSurviveKillNine) {
  auto started = DaemonProcess::Start("interval: 1s\nhost: [ { name: self } ]");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  ASSERT_TRUE(WaitUntil([&] { return daemon.Query("count_over_time(node_load1[5m])") >= 3.0; }));
  // The newest may be seen before it is in the journal; those before it are there.
  const auto newest = daemon.Query("timestamp(node_load1)");
  ASSERT_TRUE(newest.has_value());
  const auto counted = fmt::format("count_over_time(node_load1[5m] @ {:.3f})", *newest - 0.5);
  const auto before = daemon.Query(counted);
  ASSERT_TRUE(before.has_value());
  ASSERT_TRUE(daemon.KillAndStart().ok());
  EXPECT_EQ(daemon.Query(counted), before);
}

TEST(ProcessTest, TheCommandLineAsksARunningDaemon) {
  auto started = DaemonProcess::Start("interval: 1s\nhost: [ { name: self } ]");
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  ASSERT_TRUE(daemon.WaitForValue("up{job=\"host\"}", 1));
  const auto found = RunTocsin({"query", "up{job=\"host\"}", "--url", daemon.Url("")});
  EXPECT_EQ(found.status, 0);
  EXPECT_NE(found.output.find("job=\"host\"}  1"), found.output.npos) << found.output;
  const auto wrong = RunTocsin({"query", "up ==", "--url", daemon.Url("")});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.output.find("parse error"), wrong.output.npos) << wrong.output;
  EXPECT_EQ(RunTocsin({"alerts", "--url", daemon.Url("")}).status, 0);
  EXPECT_EQ(RunTocsin({"alerts", "--url", "http://127.0.0.1:1"}).status, 1);
}

}  // namespace
}  // namespace tocsin::testing
