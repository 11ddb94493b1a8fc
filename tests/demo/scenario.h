#pragma once

// The walk through the platform's table of alerts: each row's warning and critical
// threshold is crossed for real, the page is awaited, the condition ended, and the
// resolve awaited.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "tests/demo/conditions.h"
#include "tests/demo/screen.h"
#include "tests/demo/standins/standins.h"
#include "tests/demo/watched_daemon.h"

namespace tocsin::demo {

struct Step {
  std::string row;       // "pool", "p95", "cache", "cpu", "response".
  std::string signal;    // For people.
  std::string alert;     // alertname.
  std::string severity;  // "warning" or "critical".
  // Where the value must stay while the alert fires: a warning between both
  // thresholds, a critical beyond its own.
  double low = 0;
  double high = 0;
  std::string unit;
  std::function<std::unique_ptr<Condition>(Surroundings)> condition;
};

// What happened in a step. Times that never came are empty.
struct Outcome {
  Step step;
  std::string problem;                   // Empty: everything happened as it should.
  std::optional<double> value_seen;      // By Tocsin, when the alert fired.
  std::optional<double> value_measured;  // By the demo at that moment.
  std::optional<WallTime> begun;         // The condition.
  std::optional<WallTime> breached;      // The demo's own measurement entered the range.
  std::optional<WallTime> fired;
  std::optional<WallTime> told_slack;
  std::optional<WallTime> paged;  // PagerDuty; criticals only.
  std::optional<WallTime> ended;  // The condition.
  std::optional<WallTime> resolved;
  std::optional<WallTime> told_slack_resolved;
  std::optional<WallTime> page_resolved;
  std::string slack_body, page_body, slack_resolved_body, page_resolved_body;
};

// The steps of "all", "quick", or one row. Empty if there is no such scenario.
std::vector<Step> StepsOf(const std::string& scenario);
std::vector<std::string> ScenarioNames();

class Scenario {
 public:
  // `pause` waits that long and returns false once the person wants to leave.
  using Pause = std::function<bool(std::chrono::milliseconds)>;

  Scenario(Surroundings surroundings, WatchedDaemon& daemon, const StandIns& standins,
           Screen& screen, Pause pause)
      : surroundings_(surroundings),
        daemon_(daemon),
        standins_(standins),
        screen_(screen),
        pause_(std::move(pause)) {}

  // Runs the steps in turn; fewer outcomes than steps when the person left.
  std::vector<Outcome> Run(const std::vector<Step>& steps);

  // Looks at everything for as long as the person stays.
  void Idle();
  // Until `done` holds; false after `limit`, or when the person left.
  bool WaitFor(const std::function<bool()>& done, std::chrono::milliseconds limit);
  bool left() const { return left_; }

 private:
  bool Tick();
  void Walk(Outcome& outcome, Condition& condition);
  std::string AwaitPage(Outcome& outcome);
  std::string HoldValue(Outcome& outcome);
  std::string AwaitResolve(Outcome& outcome, Condition& condition);
  const Transition* Find(const Outcome& outcome, const std::string& severity,
                         const std::string& state, WallTime since) const;
  const SeenAlert* Current(const Step& step) const;
  std::optional<Message> FindMessage(const Outcome& outcome, Vendor vendor, bool resolved,
                                     WallTime since) const;

  Surroundings surroundings_;
  WatchedDaemon& daemon_;
  const StandIns& standins_;
  Screen& screen_;
  Pause pause_;
  Condition* condition_ = nullptr;  // The one that is on.
  bool left_ = false;
};

}  // namespace tocsin::demo
