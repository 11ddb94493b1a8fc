#include "daemon/config/target_entry.h"

#include "daemon/base/config_node.h"

namespace tocsin::config {

std::string EntryText(const TargetEntry& entry) {
  std::string text;
  for (const auto& [key, value] : entry) {
    text += (text.empty() ? "" : ", ") + key + ": " + QuotedYaml(value);
  }
  return "{ " + text + " }";
}

std::string DsnValue(std::string_view text) {
  std::string out = "'";
  bool plain = !text.empty();
  for (const char c : text) {
    plain = plain && c > ' ' && c != '\'' && c != '\\';
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return plain ? std::string(text) : out + "'";
}

}  // namespace tocsin::config
