#pragma once

// What the API and the pages show of the rules (/api/v1/rules, /api/v1/alerts): a
// copy taken at the end of a group's last evaluation.

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/model/labels.h"
#include "rules/engine/rule_file.h"

namespace tocsin::rules {

enum class AlertState { kInactive, kPending, kFiring };
enum class RuleHealth { kUnknown, kOk, kError };

std::string_view AlertStateName(AlertState state);   // "inactive", "pending", "firing".
std::string_view RuleHealthName(RuleHealth health);  // "unknown", "ok", "err".

struct AlertStatus {
  model::Labels labels;
  model::Labels annotations;
  AlertState state = AlertState::kInactive;
  WallTime active_at{};
  std::optional<WallTime> fired_at;
  std::optional<WallTime> keep_firing_since;
  double value = 0;
  std::optional<WallTime> held_since;
  std::string hold_reason;  // Why it is held though the result lacks it; else empty.
};

struct RuleStatus {
  Rule::Kind kind = Rule::Kind::kAlert;
  std::string name;
  std::string query;  // Canonical text.
  Millis for_duration{};
  Millis keep_firing_for{};
  TextPairs labels;       // As templates.
  TextPairs annotations;  // As templates.
  RuleHealth health = RuleHealth::kUnknown;
  std::string last_error;
  double evaluation_seconds = 0;
  std::optional<WallTime> last_evaluation;
  // The worst of its alerts'; nothing before the first evaluation.
  std::optional<AlertState> state;
  std::vector<AlertStatus> alerts;  // Pending and firing, sorted by labels.
};

struct GroupStatus {
  std::string name;
  std::string file;
  Millis interval{};
  Millis query_offset{};
  int limit = 0;
  double evaluation_seconds = 0;
  std::optional<WallTime> last_evaluation;
  std::vector<RuleStatus> rules;
};

}  // namespace tocsin::rules
