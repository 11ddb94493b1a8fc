#pragma once

// The daemon under demonstration: its configuration for the demo's servers, its
// process, and what its API says, poll by poll.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "tests/demo/screen.h"
#include "tests/demo/servers.h"
#include "tests/demo/standins/standins.h"
#include "tests/demo/web.h"
#include "tests/support/process.h"

namespace tocsin::demo {

// An alert that changed its state, as the API showed it.
struct Transition {
  WallTime at{};
  SeenAlert alert;
  std::string state;  // "pending", "firing", "resolved".
};

class WatchedDaemon {
 public:
  struct Options {
    std::string folder;
    std::string program;  // Path of tocsin.
    std::string source;   // The repository: rules/ comes from it.
    std::string user;     // Unprivileged; ignored unless root.
  };

  // Writes the configuration and starts the daemon; returns when it is ready.
  // Errors: kUnavailable with the daemon's own words.
  static Result<std::unique_ptr<WatchedDaemon>> Start(const Options& options, Servers& servers,
                                                      const StandIns& standins, Screen& screen);
  // SIGTERM, and the exit it should make within five seconds.
  ~WatchedDaemon();

  const PrometheusApi& api() const { return api_; }
  std::string Output() const { return process_->Output(); }
  bool Running() { return process_->Running(); }

  // Asks for targets and alerts and shows what changed.
  void Poll();

  const std::vector<SeenAlert>& alerts() const { return alerts_; }
  const std::vector<Transition>& transitions() const { return transitions_; }
  bool AllTargetsUp() const;

 private:
  WatchedDaemon(int port, Screen& screen) : api_(port), screen_(screen) {}
  void PollTargets();
  void PollAlerts();

  PrometheusApi api_;
  Screen& screen_;
  std::unique_ptr<testing::ChildProcess> process_;
  std::vector<SeenTarget> targets_;
  std::vector<SeenAlert> alerts_;
  std::vector<Transition> transitions_;
};

// The daemon's configuration for these servers.
std::string DaemonConfig(Servers& servers, int port, const std::string& folder);
// Alertmanager's configuration for the stand-ins: critical pages PagerDuty and tells
// Slack, everything else tells Slack, with short timers.
std::string AlertingConfig(const StandIns& standins);

}  // namespace tocsin::demo
