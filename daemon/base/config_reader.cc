#include <algorithm>

#include "daemon/base/config_node.h"
#include "daemon/base/text.h"

namespace tocsin {
namespace {

std::string_view KindName(ConfigNode::Kind kind) {
  switch (kind) {
    case ConfigNode::Kind::kNull: return "nothing";
    case ConfigNode::Kind::kScalar: return "a single value";
    case ConfigNode::Kind::kSequence: return "a list";
    case ConfigNode::Kind::kMap: return "a map";
  }
  return "nothing";
}

std::string Expected(std::string_view what, const ConfigNode& node) {
  return "expected " + std::string(what) + ", found " + std::string(KindName(node.kind()));
}

// For a scalar of a type that holds no credential: says what stands there.
std::string ExpectedInstead(std::string_view what, const ConfigNode& node) {
  return "expected " + std::string(what) + ", found \"" + node.scalar() + "\"";
}

std::string BetweenText(const std::string& min, const std::string& max) {
  return "must be between " + min + " and " + max;
}

}  // namespace

ConfigReader::ConfigReader(ConfigNode node, ConfigErrors& errors)
    : node_(std::move(node)), errors_(&errors) {
  if (node_.kind() == ConfigNode::Kind::kScalar || node_.kind() == ConfigNode::Kind::kSequence) {
    errors.Add(node_, Expected("a map", node_));
  }
}

const ConfigNode* ConfigReader::Ask(std::string_view key) {
  known_.emplace(key);
  const ConfigNode* value = node_.Find(key);
  return value && !value->IsNull() ? value : nullptr;
}

const ConfigNode* ConfigReader::AskScalar(std::string_view key) {
  const ConfigNode* value = Ask(key);
  if (value && value->kind() != ConfigNode::Kind::kScalar) {
    errors_->Add(*value, Expected("a single value", *value));
    return nullptr;
  }
  return value;
}

bool ConfigReader::Has(std::string_view key) { return Ask(key) != nullptr; }

std::string ConfigReader::String(std::string_view key, std::string fallback) {
  const ConfigNode* value = AskScalar(key);
  return value ? value->scalar() : fallback;
}

std::string ConfigReader::RequiredString(std::string_view key) {
  const bool malformed = Ask(key) && !AskScalar(key);
  std::string value = malformed ? std::string() : String(key);
  if (value.empty() && !malformed) Fail(key, "\"" + std::string(key) + "\" is required");
  return value;
}

std::vector<std::string> ConfigReader::Strings(std::string_view key) {
  const ConfigNode* value = Ask(key);
  if (!value) return {};
  if (value->kind() == ConfigNode::Kind::kScalar) return {value->scalar()};
  if (value->kind() != ConfigNode::Kind::kSequence) {
    errors_->Add(*value, Expected("a list", *value));
    return {};
  }
  std::vector<std::string> strings;
  for (const ConfigNode& item : value->items()) {
    if (item.kind() == ConfigNode::Kind::kScalar) {
      strings.push_back(item.scalar());
    } else {
      errors_->Add(item, Expected("a single value", item));
    }
  }
  return strings;
}

std::vector<std::pair<std::string, std::string>> ConfigReader::StringMap(std::string_view key) {
  const ConfigNode* value = Ask(key);
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!value) return pairs;
  if (value->kind() != ConfigNode::Kind::kMap) errors_->Add(*value, Expected("a map", *value));
  for (const auto& [name, text] : value->entries()) {
    if (text.kind() == ConfigNode::Kind::kScalar) {
      pairs.emplace_back(name.scalar(), text.scalar());
    } else {
      errors_->Add(text, Expected("a single value", text));
    }
  }
  return pairs;
}

bool ConfigReader::Bool(std::string_view key, bool fallback) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const std::string& text = value->scalar();
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  errors_->Add(*value, ExpectedInstead("true or false", *value));
  return fallback;
}

std::int64_t ConfigReader::Int(std::string_view key, std::int64_t fallback, std::int64_t min,
                               std::int64_t max) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const auto number = ParseInt(value->scalar());
  if (!number) {
    errors_->Add(*value, ExpectedInstead("a whole number", *value));
    return fallback;
  }
  if (*number < min || *number > max) {
    errors_->Add(*value, BetweenText(std::to_string(min), std::to_string(max)));
    return fallback;
  }
  return *number;
}

double ConfigReader::Number(std::string_view key, double fallback, double min, double max) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const auto number = ParseDouble(value->scalar());
  if (!number) {
    errors_->Add(*value, ExpectedInstead("a number", *value));
    return fallback;
  }
  if (!(*number >= min && *number <= max)) {
    errors_->Add(*value, BetweenText(FormatDouble(min), FormatDouble(max)));
    return fallback;
  }
  return *number;
}

Millis ConfigReader::Duration(std::string_view key, Millis fallback, Millis min) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const auto duration = ParseDuration(value->scalar());
  if (!duration.ok()) {
    errors_->Add(*value, duration.error().message);
    return fallback;
  }
  if (*duration < min) {
    errors_->Add(*value, "must be at least " + FormatDuration(min));
    return fallback;
  }
  return *duration;
}

std::int64_t ConfigReader::Bytes(std::string_view key, std::int64_t fallback) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const auto bytes = ParseBytes(value->scalar());
  if (bytes.ok()) return *bytes;
  errors_->Add(*value, bytes.error().message);
  return fallback;
}

int ConfigReader::Choice(std::string_view key, std::initializer_list<std::string_view> words,
                         int fallback) {
  const ConfigNode* value = AskScalar(key);
  if (!value) return fallback;
  const auto found = std::find(words.begin(), words.end(), value->scalar());
  if (found != words.end()) return static_cast<int>(found - words.begin());
  std::string allowed;
  for (const std::string_view word : words) {
    allowed += (allowed.empty() ? "" : ", ") + std::string(word);
  }
  errors_->Add(*value, "unknown value \"" + value->scalar() + "\"" +
                           Suggestion(value->scalar(), {words.begin(), words.size()}) +
                           "; allowed: " + allowed);
  return fallback;
}

std::string ConfigReader::Path(std::string_view key) {
  return PathBeside(node_.file(), String(key));
}

Secret ConfigReader::SecretValue(std::string_view key, FileSystem& files) {
  const std::string file_key = std::string(key) + "_file";
  const auto ask = [this](std::string_view name) {
    const ConfigNode* node = AskScalar(name);
    return node && !node->scalar().empty() ? node : nullptr;
  };
  const ConfigNode* value = ask(key);
  const ConfigNode* file = ask(file_key);
  if (value && file) {
    errors_->Add(*file, "\"" + std::string(key) + "\" and \"" + file_key +
                            "\" are both set: keep one of them");
    return Secret();
  }
  if (value) return Secret(value->scalar());
  if (!file) return Secret();
  auto secret = Secret::FromFile(PathBeside(file->file(), file->scalar()), files);
  if (secret.ok()) return *std::move(secret);
  errors_->Add(*file, secret.error().message);
  return Secret();
}

ConfigNode ConfigReader::Node(std::string_view key) {
  const ConfigNode* value = Ask(key);
  return value ? *value : ConfigNode();
}

ConfigReader ConfigReader::Map(std::string_view key) { return ConfigReader(Node(key), *errors_); }

std::vector<ConfigReader> ConfigReader::Maps(std::string_view key) {
  std::vector<ConfigReader> maps;
  const ConfigNode* value = Ask(key);
  if (!value) return maps;
  if (value->kind() != ConfigNode::Kind::kSequence) {
    errors_->Add(*value, Expected("a list of maps", *value));
    return maps;
  }
  for (const ConfigNode& item : value->items()) maps.emplace_back(item, *errors_);
  return maps;
}

void ConfigReader::Fail(std::string_view key, std::string message) {
  const ConfigNode* value = node_.Find(key);
  errors_->Add(value ? *value : node_, std::move(message));
}

void ConfigReader::Finish() {
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [key, value] : node_.entries()) {
    if (known_.count(key.scalar())) continue;
    std::string message = "unknown key \"" + key.scalar() + "\"" + Suggestion(key.scalar(), known);
    errors_->Add(key, std::move(message));
  }
}

}  // namespace tocsin
