// tocsin_demo: real servers, a booking platform on top of them, stand-ins for Slack
// and PagerDuty, and tocsin watching it all; see README.md.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "tests/demo/final_checks.h"
#include "tests/demo/load/load_generator.h"
#include "tests/demo/report.h"
#include "tests/demo/scenario.h"
#include "tests/demo/watched_daemon.h"

namespace tocsin::demo {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kTargetsLimit{60};
constexpr std::chrono::seconds kPushLimit{30};
constexpr const char* kUnprivileged = "nobody";

struct Arguments {
  std::string tocsin;
  std::string application;
  std::string source = TOCSIN_SOURCE_DIR;
  std::string scenario = "quick";
  std::string result = "result.json";
  bool exit = false;
};

// Waits for `time`, or for the person who presses Ctrl-C: false.
bool Pause(std::chrono::milliseconds time) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec limit{.tv_sec = time.count() / 1000,
                       .tv_nsec = static_cast<long>(time.count() % 1000) * 1'000'000};
  return sigtimedwait(&signals, nullptr, &limit) < 0;
}

// Programs run as an unprivileged user, who may not pass through our home: copies
// in the demo's own folder can be reached.
Result<std::string> CopyProgram(const std::string& from, const std::string& folder) {
  std::error_code error;
  const fs::path to = fs::path(folder) / fs::path(from).filename();
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (!error) fs::permissions(to, static_cast<fs::perms>(0755), error);
  if (error) return Error{ErrorCode::kIoError, from + ": " + error.message()};
  return to.string();
}

std::vector<Check> FinalChecks(Scenario& scenario, Servers& servers, WatchedDaemon& daemon,
                               const StandIns& standins, const std::string& source) {
  std::vector<Check> checks;
  const auto await = [&](const auto& check) {
    Check last;
    scenario.WaitFor([&] { return (last = check()).problem.empty(); }, kPushLimit);
    checks.push_back(std::move(last));
  };
  await([&] { return PushedToPrometheus(servers); });
  await([&] { return PushedToPushgateway(servers); });
  await([&] { return DashboardHasData(daemon.api(), source); });
  checks.push_back(NothingRefused(standins));
  return checks;
}

Result<bool> Show(const Arguments& arguments, const std::vector<Step>& steps) {
  Screen screen;
  testing::TemporaryFolder folder;
  screen.Title("Starting the servers in " + folder.path());
  TOCSIN_ASSIGN_OR_RETURN(const auto application,
                          CopyProgram(arguments.application, folder.path()));
  TOCSIN_ASSIGN_OR_RETURN(const auto tocsin, CopyProgram(arguments.tocsin, folder.path()));
  TOCSIN_ASSIGN_OR_RETURN(
      const auto servers,
      Servers::Start({.folder = folder.path(),
                      .source = arguments.source,
                      .application = application,
                      .user = kUnprivileged,
                      .on_ready = [&](auto name, auto address) { screen.Ready(name, address); }}));
  TOCSIN_ASSIGN_OR_RETURN(const auto standins, StandIns::Start([&](const Message& message) {
                            screen.Arrived(message);
                          }));
  screen.Ready("Slack", "a stand-in that checks what it gets");
  screen.Ready("PagerDuty", "a stand-in that checks what it gets");
  LogMeter log(servers->log_folder(), "booking");
  CpuMeter cpu;
  LoadGenerator load({.port = servers->application_port()});
  const std::string state = folder.File("tocsin-state");
  fs::create_directory(state);
  TOCSIN_ASSIGN_OR_RETURN(
      const auto daemon,
      WatchedDaemon::Start(
          {.folder = state, .program = tocsin, .source = arguments.source, .user = kUnprivileged},
          *servers, *standins, screen));
  screen.Ready("Tocsin", fmt::format("http://127.0.0.1:{}", daemon->api().port()));
  screen.Title("What Tocsin sees");

  Scenario scenario({*servers, load, log, cpu}, *daemon, *standins, screen, Pause);
  std::vector<Check> checks;
  if (!scenario.WaitFor([&] { return daemon->AllTargetsUp(); }, kTargetsLimit)) {
    checks.push_back({"every target came up", "not all did"});
  }
  const auto outcomes = scenario.Run(steps);
  if (!scenario.left()) {
    for (auto& check : FinalChecks(scenario, *servers, *daemon, *standins, arguments.source)) {
      checks.push_back(std::move(check));
    }
    screen.Title("Result");
    std::cout << Table(outcomes, checks) << std::flush;
    TOCSIN_RETURN_IF_ERROR(WriteResult(arguments.result, outcomes, checks));
    screen.Note("written to " + fs::absolute(arguments.result).string());
  }
  // Who leaves before the end has seen enough, unless it was the daemon that left.
  if (scenario.left()) return !arguments.exit && daemon->Running();
  const bool good = AllGood(outcomes, checks) && outcomes.size() == steps.size();
  if (!good) screen.Note("the daemon's own words:\n" + daemon->Output());
  if (arguments.exit) return good;
  screen.Note(fmt::format("the API answers at http://127.0.0.1:{}; Ctrl-C ends everything",
                          daemon->api().port()));
  scenario.Idle();
  return good && daemon->Running();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  arguments.application = (fs::absolute(argv[0]).parent_path() / "tocsin_demo_app").string();
  CLI::App app(
      "Runs the booking platform on real servers, breaks it, and shows Tocsin ringing.\n"
      "Example: tocsin_demo --tocsin build/release/tocsin --scenario all --exit");
  app.add_option("--tocsin", arguments.tocsin, "the daemon")->required()->check(CLI::ExistingFile);
  app.add_option("--app", arguments.application, "the booking application");
  app.add_option("--source", arguments.source, "the repository, for rules and dashboards");
  app.add_option("--scenario", arguments.scenario, "what to break")
      ->check(CLI::IsMember(ScenarioNames()))
      ->capture_default_str();
  app.add_option("--result", arguments.result, "where to write the result")->capture_default_str();
  app.add_flag("--exit", arguments.exit, "end when the scenario has ended");
  CLI11_PARSE(app, argc, argv);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const auto shown = Show(arguments, StepsOf(arguments.scenario));
  if (!shown.ok()) {
    std::cerr << shown.error().message << "\n";
    return 1;
  }
  return *shown ? 0 : 1;
}

}  // namespace
}  // namespace tocsin::demo

int main(int argc, char** argv) { return tocsin::demo::Main(argc, argv); }
