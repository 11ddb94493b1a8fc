#include <algorithm>
#include <array>
#include <cctype>

#include "daemon/base/text.h"
#include "daemon/config/config.h"

namespace tocsin::config {
namespace {

constexpr std::string_view kSecret = "<secret>";

// Keys whose value is a credential, wherever they stand.
bool IsSecretKey(std::string_view key) {
  constexpr std::array<std::string_view, 10> kKeys = {
      "password", "webhook_url", "routing_key", "service_key", "bearer_token",
      "api_url",  "app_token",   "credentials", "token",       "client_secret"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

// Maps whose every value is a credential.
bool IsSecretMap(std::string_view key) {
  return key == "basic_auth_users" || key == "headers" || key == "proxy_connect_header";
}

bool MentionsPassword(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("password") != text.npos || text.find("passfile") != text.npos;
}

// A connection string that holds a password is hidden whole, whatever its quoting; of
// `scheme://user:password@host` the password.
std::string WithoutEmbeddedPassword(const std::string& text) {
  if (MentionsPassword(text) && text.find('=') != text.npos) return std::string(kSecret);
  std::string out = text;
  const std::size_t scheme = out.find("://");
  const std::size_t at = scheme == out.npos ? out.npos : out.rfind('@');
  const std::size_t colon = scheme == out.npos ? out.npos : out.find(':', scheme + 3);
  if (at != out.npos && colon != out.npos && colon < at) {
    out.replace(colon + 1, at - colon - 1, kSecret);
  }
  return out;
}

std::string Quoted(const std::string& text) {
  const bool plain =
      !text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./") ==
          text.npos;
  if (plain) return text;
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

void Append(const ConfigNode& node, int depth, bool secret, bool is_url_secret, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  switch (node.kind()) {
    case ConfigNode::Kind::kNull: out += " null\n"; return;
    case ConfigNode::Kind::kScalar:
      out += " " +
             (secret ? std::string(kSecret) : Quoted(WithoutEmbeddedPassword(node.scalar()))) +
             "\n";
      return;
    case ConfigNode::Kind::kSequence:
      if (node.items().empty()) out += " []";
      out += "\n";
      for (const ConfigNode& item : node.items()) {
        out += indent + "-";
        Append(item, depth + 1, secret, is_url_secret, out);
      }
      return;
    case ConfigNode::Kind::kMap:
      if (node.entries().empty()) out += " {}";
      if (depth > 0) out += "\n";
      for (const auto& [key, value] : node.entries()) {
        const std::string& name = key.scalar();
        // A receiver's address is its credential.
        const bool receiver = is_url_secret || name == "notify";
        const bool hidden = secret || IsSecretKey(name) || (receiver && name == "url");
        out += indent + Quoted(name) + ":";
        Append(value, depth + 1, hidden || IsSecretMap(name), receiver, out);
      }
      return;
  }
}

}  // namespace

std::string RedactedYaml(const ConfigNode& node) {
  std::string out;
  Append(node, 0, false, false, out);
  return out;
}

}  // namespace tocsin::config
