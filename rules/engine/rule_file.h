#pragma once

// Prometheus' rule files, read into groups that cannot be wrong: names, labels,
// durations, expressions and templates are checked here, all errors of all files
// are reported together, and a file that is accepted is one that promtool accepts
// (of Prometheus 3.x; the other way round too, but for PromQL that needs a
// feature flag). A second YAML document in a file is refused.
//
// Pure functions but for LoadRuleSet, which reads files; thread-safe.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "rules/engine/rules_config.h"
#include "rules/promql/ast.h"

namespace tocsin::rules {

// The annotation that makes a firing alert wait for another condition before it
// resolves: a PromQL expression ("cpu < 0.7" for the alert "cpu > 0.8").
inline constexpr std::string_view kResolveWhen = "tocsin_resolve_when";

using TextPairs = std::vector<std::pair<std::string, std::string>>;  // Sorted by name.

struct Rule {
  enum class Kind { kRecord, kAlert };
  Kind kind = Kind::kAlert;
  std::string name;        // The value of `record` or `alert`.
  std::string expression;  // As written.
  promql::ExprPtr expr;
  Millis for_duration{};         // `for`.
  Millis keep_firing_for{};      // Alerts only, as are annotations.
  TextPairs labels;              // The group's, then the rule's over them; of alerts, templates.
  TextPairs annotations;         // Templates.
  promql::ExprPtr resolve_when;  // The annotation kResolveWhen, parsed; null without it.
  int line = 0;                  // Of the rule in its file.
  int column = 0;
};

struct RuleGroup {
  std::string name;  // Unique within its file.
  std::string file;
  Millis interval{};      // 0: RulesConfig::interval.
  Millis query_offset{};  // Evaluated this much in the past.
  int limit = 0;          // Alerts or series that a rule may make; 0: no limit.
  std::vector<Rule> rules;
  int line = 0;

  // All that decides what the group does: two groups with equal text are the same.
  std::string CanonicalText() const;
};

struct RuleSet {
  std::vector<RuleGroup> groups;  // In the order of files and within them.
};

// Reads one file's text. Adds everything wrong with it to `errors`, with line and
// column; what is returned then lacks the wrong parts.
std::vector<RuleGroup> LoadRuleFile(std::string_view text, const std::string& file,
                                    ConfigErrors& errors);

// Reads every file that `config` names; "builtin" is every *.yaml in
// `builtin_folder` but the unit tests, *.test.yaml. A file that several patterns match is read
// once. A path without wildcards must exist; a pattern may match nothing.
RuleSet LoadRuleSet(const RulesConfig& config, FileSystem& files, const std::string& builtin_folder,
                    ConfigErrors& errors);

// Limits of one rule set.
inline constexpr std::size_t kMaxRulesPerGroup = 50'000;
inline constexpr std::size_t kMaxRules = 50'000;
static_assert(kMaxRulesPerGroup <= kMaxRules);

}  // namespace tocsin::rules
