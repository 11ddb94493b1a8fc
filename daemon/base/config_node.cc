#include "daemon/base/config_node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "daemon/base/text.h"

namespace tocsin {

struct ConfigNode::Rep {
  Kind kind = Kind::kNull;
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;
  std::string scalar;
  bool quoted = false;
  std::vector<ConfigNode> items;
  std::vector<Entry> entries;
};

std::string QuotedYaml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c >= 0 && c < ' ') {
          out += "\\x" + HexText({&c, 1});
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

namespace {

constexpr std::size_t kMaxRepeats = 10;  // Nodes for each byte of the text.
constexpr std::size_t kMostOfAShortText = 10'000;
constexpr int kMaxDepth = 100;  // Deeper nesting is hostile, not a configuration.

// The first character that YAML forbids, and that yaml-cpp takes; npos if there is none.
std::size_t FindControl(std::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(), [](char c) {
    return (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  });
  return found == text.end() ? text.npos : static_cast<std::size_t>(found - text.begin());
}

// Whether the quoted scalar at `at` ends: of a file that was cut off, yaml-cpp takes what is
// there if a line ends behind it.
bool IsClosed(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    const bool doubled = quote == '\'' && text.substr(at).starts_with("''");
    if (doubled || (quote == '"' && text[at] == '\\')) {
      ++at;
    } else if (text[at] == quote) {
      return true;
    }
  }
  return false;
}

const ConfigNode::Rep& NullRep() {
  static const ConfigNode::Rep rep;
  return rep;
}

}  // namespace

std::string ConfigError::Text() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  if (!out.empty()) out += ": ";
  if (!path.empty()) out += path + ": ";
  return out + message;
}

void ConfigErrors::Add(const ConfigNode& where, std::string message) {
  Add(ConfigError{where.file(), where.line(), where.column(), where.path(), std::move(message)});
}

void ConfigErrors::Add(ConfigError error) {
  const auto same = [&](const ConfigError& known) { return known.Text() == error.Text(); };
  if (std::any_of(errors_.begin(), errors_.end(), same)) return;
  errors_.push_back(std::move(error));
  std::stable_sort(errors_.begin(), errors_.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
}

std::string ConfigErrors::Text() const {
  std::string out;
  for (const ConfigError& error : errors_) out += error.Text() + "\n";
  return out;
}

// Turns yaml-cpp's tree into ours, with places, paths and expanded variables.
class ConfigNodeBuilder {
 public:
  ConfigNodeBuilder(std::string_view text, const std::string& file, ConfigNode::Expand expand,
                    ConfigErrors& errors)
      : text_(text), file_(file), expand_(expand), errors_(errors) {}

  ConfigNode Build(const YAML::Node& source, const std::string& path, int depth) {
    auto rep = std::make_shared<ConfigNode::Rep>();
    rep->file = file_;
    rep->line = source.Mark().line + 1;
    rep->column = source.Mark().column + 1;
    rep->path = path;
    if (depth > kMaxDepth) {
      errors_.Add(ConfigNode(rep), "nested too deeply");
      return ConfigNode(rep);
    }
    if (IsTooMuch(*rep)) return ConfigNode(rep);
    switch (source.Type()) {
      case YAML::NodeType::Scalar: BuildScalar(source, *rep); break;
      case YAML::NodeType::Sequence: BuildSequence(source, *rep, depth); break;
      case YAML::NodeType::Map: BuildMap(source, *rep, depth); break;
      default: break;
    }
    return ConfigNode(rep);
  }

 private:
  // A short text may name its parts again and again, each of them full of such names.
  bool IsTooMuch(const ConfigNode::Rep& rep) {
    if (++built_ <= kMaxRepeats * text_.size() + kMostOfAShortText) return false;
    if (!std::exchange(was_too_much_, true)) Report(rep, "aliases repeat too much");
    return true;
  }

  void BuildScalar(const YAML::Node& source, ConfigNode::Rep& rep) {
    rep.kind = ConfigNode::Kind::kScalar;
    rep.quoted = source.Tag() == "!";
    rep.scalar = source.Scalar();
    const auto at = static_cast<std::size_t>(std::max(source.Mark().pos, 0));
    const bool in_quotes = at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
    if (rep.quoted && in_quotes && !IsClosed(text_, at)) {
      Report(rep, "not valid YAML: the quotes are not closed");
    }
    if (expand_ == ConfigNode::Expand::kEnvironment) ExpandVariables(rep);
  }

  void BuildSequence(const YAML::Node& source, ConfigNode::Rep& rep, int depth) {
    rep.kind = ConfigNode::Kind::kSequence;
    for (const YAML::Node& item : source) {
      rep.items.push_back(
          Build(item, rep.path + "[" + std::to_string(rep.items.size()) + "]", depth + 1));
    }
  }

  void BuildMap(const YAML::Node& source, ConfigNode::Rep& rep, int depth) {
    if (depth > kMaxDepth) return Report(rep, "nested too deeply");
    if (IsTooMuch(rep)) return;
    rep.kind = ConfigNode::Kind::kMap;
    std::vector<std::pair<YAML::Node, YAML::Node>> merged;  // Each `<<` and what it takes.
    for (const auto& entry : source) {
      if (!entry.first.IsScalar()) {
        auto key = Build(entry.first, rep.path, depth + 1);
        errors_.Add(key, "a key must be a plain word");
        continue;
      }
      const std::string name = entry.first.Scalar();
      if (name == "<<" && entry.first.Tag() != "!") {
        if (!merged.empty()) Report(PlaceOf(entry.first, rep), "key is there twice");
        merged.emplace_back(entry.first, entry.second);
        continue;
      }
      const std::string path = rep.path.empty() ? name : rep.path + "." + name;
      const auto expand = expand_;
      expand_ = ConfigNode::Expand::kNothing;
      ConfigNode key = Build(entry.first, path, depth + 1);
      expand_ = expand;
      const bool known = std::any_of(rep.entries.begin(), rep.entries.end(),
                                     [&](const auto& e) { return e.first.scalar() == name; });
      if (known) {
        errors_.Add(key, "key is there twice");
        continue;
      }
      rep.entries.emplace_back(key, Build(entry.second, path, depth + 1));
    }
    for (const auto& [key, node] : merged) Merge(key, node, rep, depth);
  }

  static ConfigNode::Rep PlaceOf(const YAML::Node& source, const ConfigNode::Rep& rep) {
    ConfigNode::Rep place;
    place.file = rep.file;
    place.line = source.Mark().line + 1;
    place.column = source.Mark().column + 1;
    place.path = rep.path;
    return place;
  }

  // `<<: *defaults`, or a list of such: what the map does not say itself, the first of
  // several before the others.
  void Merge(const YAML::Node& key, const YAML::Node& source, ConfigNode::Rep& rep, int depth) {
    if (source.IsSequence()) {
      for (const YAML::Node& item : source) {
        if (item.IsMap()) {
          Merge(key, item, rep, depth);
        } else {
          Report(PlaceOf(key, rep), "<< takes a map or a list of maps");
        }
      }
      return;
    }
    if (!source.IsMap()) return Report(PlaceOf(key, rep), "<< takes a map or a list of maps");
    ConfigNode::Rep below = PlaceOf(source, rep);
    BuildMap(source, below, depth + 1);
    for (ConfigNode::Entry& entry : below.entries) {
      const bool known = std::any_of(rep.entries.begin(), rep.entries.end(), [&](const auto& e) {
        return e.first.scalar() == entry.first.scalar();
      });
      if (!known) rep.entries.push_back(std::move(entry));
    }
  }

  // Replaces ${VAR} and ${VAR:-default}; $$ is a dollar sign. ${1} is no variable but
  // what a regular expression captured, for whoever expands that.
  void ExpandVariables(ConfigNode::Rep& rep) {
    std::string out;
    const std::string& text = rep.scalar;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text.compare(at, 2, "$$") == 0) {
        out += '$';
        ++at;
        continue;
      }
      const bool is_capture = at + 2 < text.size() && text[at + 2] >= '0' && text[at + 2] <= '9';
      if (text.compare(at, 2, "${") != 0 || is_capture) {
        out += text[at];
        continue;
      }
      const std::size_t end = text.find('}', at);
      if (end == text.npos) {
        Report(rep, "${ without its } (write $$ for a dollar sign)");
        return;
      }
      const std::string inside = text.substr(at + 2, end - at - 2);
      const std::size_t split = inside.find(":-");
      const std::string name = inside.substr(0, split);
      const char* value = std::getenv(name.c_str());
      if (value && *value) {
        out += value;
      } else if (split != inside.npos) {
        out += inside.substr(split + 2);
      } else {
        Report(rep, "environment variable " + name + " is not set (${" + name +
                        ":-default} gives a default)");
      }
      at = end;
    }
    rep.scalar = std::move(out);
  }

  void Report(const ConfigNode::Rep& rep, std::string message) {
    errors_.Add(ConfigError{rep.file, rep.line, rep.column, rep.path, std::move(message)});
  }

  std::string_view text_;
  const std::string& file_;
  ConfigNode::Expand expand_;
  ConfigErrors& errors_;
  std::size_t built_ = 0;
  bool was_too_much_ = false;
};

ConfigNode::ConfigNode() = default;

ConfigNode ConfigNode::Parse(std::string_view text, const std::string& file, Expand expand,
                             ConfigErrors& errors) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (const std::size_t at = FindControl(text); at != text.npos) {
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n');
    const std::size_t column = at - (before.rfind('\n') + 1);  // npos + 1 is 0.
    errors.Add(ConfigError{file, static_cast<int>(line) + 1, static_cast<int>(column) + 1, "",
                           "not valid YAML: a control character"});
    return ConfigNode();
  }
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    return ConfigNodeBuilder(text, file, expand, errors).Build(root, "", 0);
  } catch (const YAML::Exception& exception) {
    errors.Add(ConfigError{file, exception.mark.line + 1, exception.mark.column + 1, "",
                           "not valid YAML: " + exception.msg});
  } catch (const std::exception& exception) {
    errors.Add(ConfigError{file, 0, 0, "", std::string("not valid YAML: ") + exception.what()});
  }
  return ConfigNode();
}

ConfigNode::Kind ConfigNode::kind() const { return rep_ ? rep_->kind : Kind::kNull; }
const std::string& ConfigNode::file() const { return (rep_ ? *rep_ : NullRep()).file; }
int ConfigNode::line() const { return rep_ ? rep_->line : 0; }
int ConfigNode::column() const { return rep_ ? rep_->column : 0; }
const std::string& ConfigNode::path() const { return (rep_ ? *rep_ : NullRep()).path; }
const std::string& ConfigNode::scalar() const { return (rep_ ? *rep_ : NullRep()).scalar; }
bool ConfigNode::quoted() const { return rep_ && rep_->quoted; }
const std::vector<ConfigNode>& ConfigNode::items() const {
  return (rep_ ? *rep_ : NullRep()).items;
}
const std::vector<ConfigNode::Entry>& ConfigNode::entries() const {
  return (rep_ ? *rep_ : NullRep()).entries;
}

std::string PathBeside(const std::string& config_file, const std::string& path) {
  const std::size_t slash = config_file.rfind('/');
  if (path.empty() || path.front() == '/' || slash == std::string::npos) return path;
  return config_file.substr(0, slash + 1) + path;
}

std::string FingerprintOf(const ConfigNode& node, FileSystem& files) {
  std::string out;
  switch (node.kind()) {
    case ConfigNode::Kind::kNull: return "~";
    case ConfigNode::Kind::kScalar:
      return std::to_string(node.scalar().size()) + ":" + node.scalar();
    case ConfigNode::Kind::kSequence:
      for (const ConfigNode& item : node.items()) out += FingerprintOf(item, files) + ",";
      return "[" + out + "]";
    case ConfigNode::Kind::kMap:
      for (const auto& [key, value] : node.entries()) {
        out += key.scalar() + "=" + FingerprintOf(value, files);
        if (key.scalar().ends_with("_file")) {
          const auto content = files.Read(PathBeside(value.file(), value.scalar()));
          out += content.ok() ? Sha256Hex(*content) : "unreadable";
        }
        out += ",";
      }
      return "{" + out + "}";
  }
  return out;
}

const ConfigNode* ConfigNode::Find(std::string_view key) const {
  for (const Entry& entry : entries()) {
    if (entry.first.scalar() == key) return &entry.second;
  }
  return nullptr;
}

}  // namespace tocsin
