#pragma once

// The host that is watched: two probes and an application's page, each of which works,
// fails or hangs as the script says. It stands between the daemon and its network, so
// that it sees each collection begin and end, and keeps the course of every condition.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/daemon/course.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_clock.h"

namespace tocsin::testing {

inline constexpr Millis kInterval = seconds(5);  // Of the configuration, as what follows.
inline constexpr Millis kTimeout = seconds(2);

enum class Mood { kWell, kFails, kHangs };

class Host : public HttpClient {
 public:
  // Nothing answers while the daemon is `dead`: what it still does did not happen.
  Host(ScriptedHttpClient& network, const SimClock& clock, std::function<bool()> dead);

  // The script. Targets: "a" and "b" are probes, "app" is the page.
  void Set(const std::string& target, Mood mood) { targets_.at(target).mood = mood; }
  void SetPool(int percent) { pool_ = percent; }
  void SetQueueStuck(bool stuck) { queue_stuck_ = stuck; }
  void AllWell();
  static const std::vector<std::string>& TargetNames();

  RequestId Start(HttpRequest request, SteadyTime deadline, Done done) override;
  void Cancel(RequestId id) override { network_.Cancel(id); }

  // What was answered a while ago has been judged.
  void Advance();
  // The daemon died: what was answered last may not have been.
  void DaemonDied(bool power_lost);
  // No collection is beyond its deadline, and none is missing since `alive_since`.
  void CheckCollections(WallTime alive_since) const;

  std::vector<Course>& courses() { return courses_; }
  const std::vector<Course>& courses() const { return courses_; }
  Course* FindCourse(const std::string& key);
  // When the last collection of each instance began whose samples must still be there.
  std::map<std::string, WallTime> LastCollections() const;

 private:
  struct Target {
    std::string url;
    std::string instance;
    Mood mood = Mood::kWell;
    WallTime last_begin{};
    std::vector<WallTime> collected{};  // Beginnings of those that must be in history.
  };
  struct Answered {
    std::string target;
    WallTime from{};
    WallTime to{};
    std::map<std::string, Seen> seen;  // By key.
  };

  ScriptedAnswer Answer(const std::string& target) const;
  std::map<std::string, Seen> Look(const std::string& target) const;
  void Ended(std::uint64_t collection);
  void Record(const Answered& answered, bool sure);

  // A daemon that lives on for so long after an answer has judged it.
  static constexpr Millis kCertainAfter = seconds(1);
  static constexpr Millis kSlack = seconds(1);

  ScriptedHttpClient& network_;
  const SimClock& clock_;
  std::function<bool()> dead_;
  std::map<std::string, Target> targets_;
  int pool_ = 50;
  bool queue_stuck_ = false;
  std::vector<Course> courses_;
  std::uint64_t next_collection_ = 1;
  std::map<std::uint64_t, Answered> under_way_;
  std::vector<Answered> answered_;  // Not known to be judged.
};

}  // namespace tocsin::testing
