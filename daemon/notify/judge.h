#pragma once

// Why alerts may not be told at one moment: silences, time intervals, inhibition.
// Silences are found by a label they ask for, so that many of them cost little. What
// it is made of must outlive it. Immutable; thread-safe. Internal.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/notify/inhibition.h"
#include "daemon/notify/notification_log.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/silence.h"
#include "daemon/notify/tracked_alert.h"

namespace tocsin::notify {

struct Judgement {
  std::vector<std::string> silenced_by;
  std::vector<std::uint64_t> inhibited_by;
  std::vector<std::string> muted_by;
  Quiet quiet = Quiet::kNone;
};

class Judge {
 public:
  // `silences`: those that are active, by id. `inhibitor` knows what fires.
  Judge(const NotifyConfig& config, std::vector<const Silence*> silences, Inhibitor inhibitor,
        WallTime now);

  // Of an alert in a group of `route`; null: the route is gone.
  Judgement Of(const RouteConfig* route, const TrackedAlert& alert) const;

 private:
  void Index(std::size_t silence);
  std::vector<std::string> SilencedBy(const model::Labels& labels) const;

  const NotifyConfig& config_;
  std::vector<const Silence*> silences_;
  Inhibitor inhibitor_;
  WallTime now_;
  // By name and value of a label that a silence asks for: its number.
  std::unordered_map<std::string, std::vector<std::size_t>> by_label_;
  std::vector<std::size_t> for_any_;  // Of those that ask for no certain value.
};

}  // namespace tocsin::notify
