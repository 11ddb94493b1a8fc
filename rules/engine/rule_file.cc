#include "rules/engine/rule_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/model/labels.h"
#include "rules/engine/rule_templates.h"
#include "rules/engine/yaml_number.h"
#include "rules/promql/parser.h"

namespace tocsin::rules {
namespace {

bool IsUtf8(std::string_view text) { return ValidUtf8(text) == text; }

promql::ExprPtr ParseExpression(const ConfigNode& where, const std::string& text,
                                ConfigErrors& errors) {
  auto expr = promql::Parse(text);
  if (expr.ok()) return std::move(expr).value();
  errors.Add(where, "could not parse the expression: " + expr.error().message);
  return nullptr;
}

// Labels or annotations: checked names and, for alerts, templates that parse.
TextPairs ReadTexts(ConfigReader& reader, std::string_view key, const std::string* alert) {
  TextPairs out;
  const ConfigNode node = reader.Node(key);
  if (node.IsNull()) return out;
  ConfigErrors& errors = reader.errors();
  if (node.kind() != ConfigNode::Kind::kMap) {
    reader.Fail(key, "expected a map of names and texts");
    return out;
  }
  for (const auto& [name, value] : node.entries()) {
    const std::string& text = name.scalar();
    const bool reserved = key == "labels" && text == model::kMetricName;
    if (text.empty() || !IsUtf8(text) || reserved) {
      errors.Add(name, fmt::format("invalid {} name: \"{}\"",
                                   key == "labels" ? "label" : "annotation", ValidUtf8(text)));
      continue;
    }
    if (value.kind() == ConfigNode::Kind::kMap || value.kind() == ConfigNode::Kind::kSequence) {
      errors.Add(value, fmt::format("\"{}\" must be a text", text));
      continue;
    }
    if (alert != nullptr) {
      const auto parsed = RuleTemplate::Parse(*alert, value.scalar());
      if (!parsed.ok()) errors.Add(value, parsed.error().message);
    }
    out.emplace_back(text, value.scalar());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TextPairs Overlay(const TextPairs& below, const TextPairs& above) {
  std::map<std::string, std::string> merged(below.begin(), below.end());
  for (const auto& [name, text] : above) merged[name] = text;
  return {merged.begin(), merged.end()};
}

void ReadRecord(ConfigReader& reader, Rule& rule) {
  if (rule.name.find_first_of("{}") != std::string::npos) {
    reader.Fail("record", fmt::format("braces in the recording rule's name; should they be in "
                                      "\"expr\"?: {}",
                                      rule.name));
  } else if (!IsUtf8(rule.name)) {
    reader.Fail("record", "invalid recording rule name: " + ValidUtf8(rule.name));
  }
  // Said with nothing in it, as generated files do, they do no harm.
  const auto refuse = [&](std::string_view key) {
    reader.Fail(key, fmt::format("\"{}\" is for alerts, not for recording rules", key));
  };
  for (const std::string_view key : {"for", "keep_firing_for"}) {
    if (reader.Duration(key, Millis(0)) > Millis(0)) refuse(key);
  }
  if (!ReadTexts(reader, "annotations", nullptr).empty()) refuse("annotations");
}

void ReadAlert(ConfigReader& reader, Rule& rule) {
  rule.for_duration = reader.Duration("for", Millis(0));
  rule.keep_firing_for = reader.Duration("keep_firing_for", Millis(0));
  rule.annotations = ReadTexts(reader, "annotations", &rule.name);
  const ConfigNode annotations = reader.Node("annotations");
  const ConfigNode* resolve_when = annotations.Find(kResolveWhen);
  if (resolve_when == nullptr) return;
  rule.resolve_when = ParseExpression(*resolve_when, resolve_when->scalar(), reader.errors());
}

std::optional<Rule> ReadRule(ConfigReader& reader, const TextPairs& group_labels) {
  Rule rule;
  rule.line = reader.node().line();
  rule.column = reader.node().column();
  const bool record = !reader.String("record").empty();
  const bool alert = !reader.String("alert").empty();
  rule.kind = record ? Rule::Kind::kRecord : Rule::Kind::kAlert;
  if (record == alert) {
    reader.errors().Add(reader.node(), record ? "only one of \"record\" and \"alert\" may be set"
                                              : "one of \"record\" and \"alert\" must be set");
  } else {
    rule.name = reader.RequiredString(record ? "record" : "alert");
  }
  const std::string expression = reader.RequiredString("expr");
  rule.expression = std::string(TrimSpace(expression));
  const ConfigNode expr = reader.Node("expr");
  if (!expression.empty()) rule.expr = ParseExpression(expr, rule.expression, reader.errors());
  rule.labels = Overlay(group_labels, ReadTexts(reader, "labels", record ? nullptr : &rule.name));
  if (record && !alert) {
    ReadRecord(reader, rule);
  } else {
    ReadAlert(reader, rule);
  }
  reader.Finish();
  if (record == alert || rule.name.empty() || rule.expr == nullptr) return std::nullopt;
  return rule;
}

// None, if it is not above 0. Of a fraction the whole part, as Go has it.
int ReadLimit(ConfigReader& reader) {
  constexpr double kMost = std::numeric_limits<int>::max();
  const double limit = ReadYamlNumber(reader, "limit").value_or(0);
  if (limit < 0x1p63) return static_cast<int>(std::clamp(limit, -kMost, kMost));
  reader.Fail("limit", "expected a whole number");
  return 0;
}

RuleGroup ReadGroup(ConfigReader& reader, const std::string& file) {
  RuleGroup group;
  group.file = file;
  group.line = reader.node().line();
  group.name = reader.RequiredString("name");
  group.interval = reader.Duration("interval", Millis(0));
  group.query_offset = reader.Duration("query_offset", Millis(0));
  group.limit = ReadLimit(reader);
  const TextPairs labels = ReadTexts(reader, "labels", &group.name);
  auto rules = reader.Maps("rules");
  if (rules.size() > kMaxRulesPerGroup) {
    reader.Fail("rules", fmt::format("{} rules in one group; at most {} are allowed", rules.size(),
                                     kMaxRulesPerGroup));
    rules.erase(rules.begin() + kMaxRulesPerGroup, rules.end());
  }
  for (ConfigReader& rule_reader : rules) {
    if (rule_reader.node().IsNull()) continue;  // As in Go, it is no item of the list.
    auto rule = ReadRule(rule_reader, labels);
    if (rule) group.rules.push_back(std::move(*rule));
  }
  reader.Finish();
  return group;
}

bool HasWildcard(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

// The paths that one entry of `rules` stands for.
Result<std::vector<std::string>> PathsOf(const std::string& entry, FileSystem& files,
                                         const std::string& builtin_folder) {
  if (entry == kBuiltinRules) {
    TOCSIN_ASSIGN_OR_RETURN(auto paths, files.Glob(builtin_folder + "/*.yaml"));
    // Their unit tests lie beside them.
    std::erase_if(paths, [](const std::string& path) { return path.ends_with(".test.yaml"); });
    if (paths.empty()) {
      return Error{ErrorCode::kNotFound, "no shipped rules in " + builtin_folder +
                                             " (--rules-folder names another place)"};
    }
    return paths;
  }
  if (HasWildcard(entry)) return files.Glob(entry);
  return std::vector<std::string>{entry};
}

void AddFileError(const std::string& file, std::string message, ConfigErrors& errors) {
  ConfigError error;
  error.file = file;
  error.message = std::move(message);
  errors.Add(std::move(error));
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out += fmt::format("{}:{}:{}\n", name, value.size(), value);
}

}  // namespace

std::string RuleGroup::CanonicalText() const {
  std::string out;
  AppendField(out, "name", name);
  AppendField(out, "file", file);
  AppendField(out, "interval", FormatDuration(interval));
  AppendField(out, "query_offset", FormatDuration(query_offset));
  AppendField(out, "limit", std::to_string(limit));
  for (const Rule& rule : rules) {
    AppendField(out, rule.kind == Rule::Kind::kRecord ? "record" : "alert", rule.name);
    AppendField(out, "expr", rule.expression);
    AppendField(out, "for", FormatDuration(rule.for_duration));
    AppendField(out, "keep_firing_for", FormatDuration(rule.keep_firing_for));
    for (const auto& [key, text] : rule.labels) AppendField(out, "label " + key, text);
    for (const auto& [key, text] : rule.annotations) AppendField(out, "annotation " + key, text);
  }
  return out;
}

std::vector<RuleGroup> LoadRuleFile(std::string_view text, const std::string& file,
                                    ConfigErrors& errors) {
  const ConfigNode root = ConfigNode::Parse(text, file, ConfigNode::Expand::kNothing, errors);
  ConfigReader reader(root, errors);
  std::vector<RuleGroup> groups;
  std::set<std::string> names;
  for (ConfigReader& group_reader : reader.Maps("groups")) {
    if (group_reader.node().IsNull()) continue;
    RuleGroup group = ReadGroup(group_reader, file);
    if (!group.name.empty() && !names.insert(group.name).second) {
      group_reader.Fail("name", fmt::format("group \"{}\" stands twice in this file", group.name));
    }
    groups.push_back(std::move(group));
  }
  reader.Finish();
  return groups;
}

RuleSet LoadRuleSet(const RulesConfig& config, FileSystem& files, const std::string& builtin_folder,
                    ConfigErrors& errors) {
  RuleSet set;
  std::set<std::string> read;
  std::size_t rules = 0;
  for (const std::string& entry : config.files) {
    auto paths = PathsOf(entry, files, builtin_folder);
    if (!paths.ok()) {
      AddFileError(entry, paths.error().message, errors);
      continue;
    }
    for (const std::string& path : *paths) {
      if (!read.insert(path).second) continue;
      const auto text = files.Read(path);
      if (!text.ok()) {
        AddFileError(path, text.error().message, errors);
        continue;
      }
      for (RuleGroup& group : LoadRuleFile(*text, path, errors)) {
        rules += group.rules.size();
        if (group.interval == Millis(0)) group.interval = config.interval;
        set.groups.push_back(std::move(group));
      }
    }
  }
  if (rules > kMaxRules) {
    AddFileError(set.groups.back().file,
                 fmt::format("{} rules in all; at most {} are allowed", rules, kMaxRules), errors);
  }
  return set;
}

}  // namespace tocsin::rules
