#include "daemon/model/relabel.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "daemon/base/text.h"

namespace tocsin::model {
namespace {

enum class Action {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase,
};

// A replacement such as "${1}-$name", taken apart: text, or a group of the match.
struct Piece {
  std::string text;
  int group = -1;
};

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Go's rules: $name takes as many letters, digits and underscores as there are, a group
// that does not exist is empty, $$ is a dollar.
class Template {
 public:
  Template(std::string_view text, const re2::RE2& regex) {
    std::string literal;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '$' || i + 1 == text.size()) {
        literal += text[i++];
        continue;
      }
      if (text[i + 1] == '$') {
        literal += '$';
        i += 2;
        continue;
      }
      const bool braced = text[i + 1] == '{';
      const std::size_t begin = i + (braced ? 2 : 1);
      std::size_t end = begin;
      while (end < text.size() && IsWordByte(text[end])) ++end;
      if (end == begin || (braced && (end == text.size() || text[end] != '}'))) {
        literal += text[i++];
        continue;
      }
      if (!literal.empty()) pieces_.push_back({std::exchange(literal, {}), -1});
      if (const int group = GroupOf(text.substr(begin, end - begin), regex); group >= 0) {
        pieces_.push_back({{}, group});
      }
      i = end + (braced ? 1 : 0);
    }
    if (!literal.empty()) pieces_.push_back({std::move(literal), -1});
  }

  std::string Expand(const std::vector<re2::StringPiece>& groups) const {
    std::string text;
    for (const Piece& piece : pieces_) {
      if (piece.group < 0) {
        text += piece.text;
      } else if (const auto& group = groups[static_cast<std::size_t>(piece.group)]; group.data()) {
        text.append(group.data(), group.size());
      }
    }
    return text;
  }

 private:
  static int GroupOf(std::string_view name, const re2::RE2& regex) {
    if (const auto number = ParseInt(name)) {
      return *number >= 0 && *number <= regex.NumberOfCapturingGroups() ? static_cast<int>(*number)
                                                                        : -1;
    }
    const auto& named = regex.NamedCapturingGroups();
    const auto found = named.find(std::string(name));
    return found == named.end() ? -1 : found->second;
  }

  std::vector<Piece> pieces_;
};

// Fills the groups of a match of the whole text; false if there is none.
bool Match(const re2::RE2& regex, std::string_view text, std::vector<re2::StringPiece>& groups) {
  groups.assign(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1, {});
  return regex.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH,
                     groups.data(), static_cast<int>(groups.size()));
}

std::string MapCase(std::string_view text, bool upper) {
  std::string mapped(text);
  for (char& c : mapped) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return mapped;
}

}  // namespace

struct RelabelRules::Rule {
  Action action = Action::kReplace;
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::shared_ptr<const re2::RE2> regex;
  std::string target_label;
  std::uint64_t modulus = 0;
  std::optional<Template> target;       // Of the action replace.
  std::optional<Template> replacement;  // Of replace and labelmap.

  std::string SourceValue(const Labels& labels) const;
  std::optional<Labels> Apply(Labels labels) const;
  Labels ApplyToNames(const Labels& labels) const;
  Labels Replace(const Labels& labels) const;
};

std::string RelabelRules::Rule::SourceValue(const Labels& labels) const {
  std::string value;
  for (std::size_t i = 0; i < source_labels.size(); ++i) {
    if (i > 0) value += separator;
    value += labels.Get(source_labels[i]);
  }
  return value;
}

Labels RelabelRules::Rule::ApplyToNames(const Labels& labels) const {
  Labels result = labels;
  std::vector<re2::StringPiece> groups;
  for (const auto [name, value] : labels) {
    const bool matches = Match(*regex, name, groups);
    if (action == Action::kLabelMap) {
      if (matches) result = result.With(replacement->Expand(groups), value);
    } else if (matches == (action == Action::kLabelDrop)) {
      result = result.Without(name);
    }
  }
  return result;
}

Labels RelabelRules::Rule::Replace(const Labels& labels) const {
  const std::string value = SourceValue(labels);
  std::vector<re2::StringPiece> groups;
  if (!Match(*regex, value, groups)) return labels;
  const std::string name = target->Expand(groups);
  if (name.empty()) return labels;
  return labels.With(name, replacement->Expand(groups));
}

std::optional<Labels> RelabelRules::Rule::Apply(Labels labels) const {
  const auto keep = [&](bool wanted) {
    return wanted ? std::optional<Labels>(std::move(labels)) : std::nullopt;
  };
  std::vector<re2::StringPiece> groups;
  switch (action) {
    case Action::kReplace: return Replace(labels);
    case Action::kKeep: return keep(Match(*regex, SourceValue(labels), groups));
    case Action::kDrop: return keep(!Match(*regex, SourceValue(labels), groups));
    case Action::kKeepEqual: return keep(SourceValue(labels) == labels.Get(target_label));
    case Action::kDropEqual: return keep(SourceValue(labels) != labels.Get(target_label));
    case Action::kHashMod:
      return labels.With(target_label, std::to_string(Md5Low64(SourceValue(labels)) % modulus));
    case Action::kLabelMap:
    case Action::kLabelDrop:
    case Action::kLabelKeep: return ApplyToNames(labels);
    case Action::kLowercase: return labels.With(target_label, MapCase(SourceValue(labels), false));
    case Action::kUppercase: return labels.With(target_label, MapCase(SourceValue(labels), true));
  }
  return labels;
}

std::optional<Labels> RelabelRules::Apply(const Labels& labels) const {
  std::optional<Labels> result = labels;
  for (const auto& rule : rules_) {
    result = rule->Apply(*std::move(result));
    if (!result) return std::nullopt;
  }
  return result->empty() ? std::nullopt : std::move(result);
}

RelabelRules RelabelRules::Read(ConfigReader& reader, std::string_view key) {
  RelabelRules rules;
  for (ConfigReader& map : reader.Maps(key)) {
    auto rule = std::make_shared<Rule>();
    rule->action = static_cast<Action>(
        map.Choice("action",
                   {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap",
                    "labeldrop", "labelkeep", "lowercase", "uppercase"},
                   0));
    rule->source_labels = map.Strings("source_labels");
    rule->separator = map.String("separator", ";");
    rule->target_label = map.String("target_label");
    const std::string pattern = map.String("regex", "(.*)");
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    rule->regex = std::make_shared<const re2::RE2>(pattern, options);
    if (!rule->regex->ok()) {
      map.Fail("regex", "regular expression \"" + pattern + "\": " + rule->regex->error());
    }
    rule->modulus = static_cast<std::uint64_t>(map.Int("modulus", 0, 0, INT64_MAX));
    rule->replacement.emplace(map.String("replacement", "$1"), *rule->regex);
    rule->target.emplace(rule->target_label, *rule->regex);
    const bool needs_target =
        rule->action == Action::kReplace || rule->action == Action::kHashMod ||
        rule->action == Action::kLowercase || rule->action == Action::kUppercase ||
        rule->action == Action::kKeepEqual || rule->action == Action::kDropEqual;
    if (needs_target && rule->target_label.empty()) {
      map.Fail("target_label", "this action needs a target_label");
    }
    if (rule->action == Action::kHashMod && rule->modulus == 0) {
      map.Fail("modulus", "hashmod needs a modulus above 0");
    }
    map.Finish();
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace tocsin::model
