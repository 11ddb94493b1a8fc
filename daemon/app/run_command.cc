// `tocsin run`: the daemon in this process, until SIGTERM.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <future>
#include <iostream>
#include <random>
#include <thread>

#include "daemon/api/http_server.h"
#include "daemon/app/config_source.h"
#include "daemon/app/daemon.h"
#include "daemon/app/memory.h"
#include "daemon/app/process_status.h"
#include "daemon/app/service_manager.h"
#include "daemon/app/signals.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/log.h"
#include "daemon/base/version.h"

namespace tocsin::app {
namespace {

// SIGTERM to exit: notify may send for kDrain; whatever hangs is cut off at
// kStopLimit, which loses nothing because everything that matters is on disk.
constexpr Millis kDrain = std::chrono::milliseconds(2000);
constexpr Millis kStopLimit = std::chrono::milliseconds(4700);

// Reloads that the API asks for are carried out by the main thread; the asker waits.
class ReloadRequests {
 public:
  explicit ReloadRequests(ProcessEvents& events) : events_(events) {}

  Result<> AskAndWait() {
    std::future<Result<>> answer;
    {
      MutexLock lock(mutex_);
      if (refusing_) return Stopping();
      waiting_.emplace_back();
      answer = waiting_.back().get_future();
    }
    events_.Wake();
    if (answer.wait_for(kPatience) != std::future_status::ready) {
      return Error{ErrorCode::kDeadlineExceeded, "the reload did not finish in time"};
    }
    return answer.get();
  }

  std::vector<std::promise<Result<>>> Take() {
    MutexLock lock(mutex_);
    return std::exchange(waiting_, {});
  }

  // Answers those who wait, and from now on everybody, that the daemon stops.
  void Refuse() {
    {
      MutexLock lock(mutex_);
      refusing_ = true;
    }
    for (auto& asker : Take()) asker.set_value(Stopping());
  }

 private:
  static constexpr std::chrono::seconds kPatience{30};

  static Error Stopping() { return {ErrorCode::kCancelled, "the daemon is stopping"}; }

  ProcessEvents& events_;
  Mutex mutex_;
  bool refusing_ GUARDED_BY(mutex_) = false;
  std::vector<std::promise<Result<>>> waiting_ GUARDED_BY(mutex_);
};

class RunningDaemon {
 public:
  // `config_file` is empty for the default one, or what is found without it.
  RunningDaemon(std::string config_file, std::string builtin_rules)
      : source_(std::move(config_file), std::move(builtin_rules), files_, clock_),
        executors_(clock_),
        http_(clock_),
        requests_(events_) {}

  int Run() {
    ConfigErrors errors;
    config::Config config = Load(errors);
    if (!errors.empty()) {
      std::cerr << errors.Text();
      return kExitUsage;
    }
    if (const auto started = Start(std::move(config)); !started.ok()) {
      std::cerr << "tocsin: " << started.error().message << "\n";
      return kExitFindings;
    }
    ServeUntilStopped();
    Stop();
    return kExitGood;
  }

 private:
  config::Config Load(ConfigErrors& errors) {
    config::Config config = source_.Load(/*keep=*/true, errors);
    if (source_.found() != nullptr) LogDiscovery(*source_.found(), source_.path());
    return config;
  }

  Result<> Start(config::Config config) {
    const api::ApiConfig api_config = config.api;
    auto flags = FlagsOf(config, source_.path());
    const World world{clock_, executors_, http_, files_, "", std::random_device()()};
    TOCSIN_ASSIGN_OR_RETURN(daemon_, Daemon::Open(world, std::move(config)));
    api::Context context = daemon_->ApiContext(std::string(Version()));
    context.reload = [this] { return requests_.AskAndWait(); };
    context.flags = std::move(flags);
    context.process = [this, ask = std::move(context.process)] {
      api::ProcessStatus status = ask();
      status.last_reload_ok = last_reload_ok_;
      return status;
    };
    TOCSIN_ASSIGN_OR_RETURN(server_, api::HttpServer::Bind(api_config, std::move(context)));
    TOCSIN_RETURN_IF_ERROR(daemon_->Start());
    server_->Start();
    for (const api::ListenAddress& address : server_->addresses()) {
      LogInfo("listening", {{"address", address.Text()}});
    }
    TellReady("polling");
    return Result<>();
  }

  void ServeUntilStopped() {
    const Millis rhythm =
        std::min(WatchdogInterval().value_or(kGiveBackInterval), kGiveBackInterval);
    while (true) {
      switch (events_.Next(rhythm)) {
        case ProcessEvent::kTerminate: return;
        case ProcessEvent::kReload: ReportReload(Reload()); break;
        case ProcessEvent::kRequested: AnswerRequests(); break;
        case ProcessEvent::kTimeout: GiveMemoryBack(); break;
      }
      TellAlive();  // After every event: reloads must not starve the watchdog.
    }
  }

  void AnswerRequests() {
    auto waiting = requests_.Take();
    if (waiting.empty()) return;
    const Result<> result = Reload();
    ReportReload(result);
    for (auto& asker : waiting) asker.set_value(result);
  }

  Result<> Reload() {
    TellReloading();
    ConfigErrors errors;
    config::Config config = Load(errors);
    Result<> result;
    if (errors.empty()) {
      result = daemon_->Reload(std::move(config));
    } else {
      result = Error{ErrorCode::kInvalidArgument, errors.Text()};
    }
    last_reload_ok_ = result.ok();
    TellReady("polling");
    return result;
  }

  static void ReportReload(const Result<>& result) {
    if (result.ok()) {
      LogInfo("configuration reloaded");
    } else {
      LogError("the new configuration is refused, the old one goes on",
               {{"error", result.error().message}});
    }
  }

  void Stop() {
    TellStopping();
    LogInfo("stopping");
    std::promise<void> stopped;
    std::thread guard([&stopped] {
      if (stopped.get_future().wait_for(kStopLimit) == std::future_status::ready) return;
      LogWarning("something did not stop in time and was cut off");
      _exit(kExitGood);
    });
    requests_.Refuse();  // Whoever asks for a reload now would wait for ever.
    daemon_->Stop(clock_.SteadyNow() + kDrain);
    server_->Stop();
    server_.reset();
    daemon_.reset();
    stopped.set_value();
    guard.join();
    LogInfo("stopped");
  }

  ProcessEvents events_;  // First: the threads below must have the signals blocked.
  SystemClock clock_;
  PosixFileSystem files_;
  ConfigSource source_;
  ThreadExecutors executors_;
  CurlHttpClient http_;
  ReloadRequests requests_;
  std::atomic<bool> last_reload_ok_ = true;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<api::HttpServer> server_;
};

}  // namespace

void AddRunCommand(CLI::App& program, std::function<int()>& run) {
  auto* command = program.add_subcommand("run", "Poll, judge and notify until SIGTERM");
  auto config_file = std::make_shared<std::string>();
  auto rules = std::make_shared<std::string>(BuiltinRulesFolder());
  auto level = std::make_shared<std::string>("info");
  command->add_option("-c,--config", *config_file,
                      "The configuration file, which must exist. Without this option it is\n" +
                          std::string(kDefaultConfigFile) +
                          " if that exists, and else what is found on this host");
  command->add_option("--rules-folder", *rules, "The folder that `builtin` stands for")
      ->capture_default_str();
  command->add_option("--log-level", *level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  command->footer(
      "Without a configuration file the PostgreSQL, PgBouncer and Redis servers of this host are\n"
      "searched for and watched with the shipped rules; the log says what was found, what may not\n"
      "be read and how to grant it. What was found is kept in discovered.yaml of the state folder\n"
      "($STATE_DIRECTORY, /var/lib/tocsin, or ~/.local/state/tocsin), itself a configuration: "
      "copy\n"
      "it to /etc/tocsin/tocsin.yaml to change it. Servers that start later are found at a "
      "reload.\n"
      "SIGHUP or POST /-/reload reads the configuration again, SIGTERM ends within 5 seconds.\n"
      "Exit status: 0 stopped, 1 cannot start, 2 the configuration is wrong.\n"
      "Example: tocsin run --config /etc/tocsin/tocsin.yaml");
  command->callback([&run, config_file, rules, level] {
    run = [config_file, rules, level] {
      const LogLevel threshold = *level == "debug"     ? LogLevel::kDebug
                                 : *level == "warning" ? LogLevel::kWarning
                                 : *level == "error"   ? LogLevel::kError
                                                       : LogLevel::kInfo;
      SetUpMemory();
      InitLog(threshold);
      return RunningDaemon(*config_file, *rules).Run();
    };
  });
}

}  // namespace tocsin::app
