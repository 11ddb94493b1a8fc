#include "daemon/api/request_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/ascii.h"
#include "daemon/formats/html_text.h"

namespace tocsin::api {

std::optional<std::string> CleanTarget(std::string_view target) {
  const std::size_t end = std::min(target.find('?'), target.size());
  std::string_view rest = target.substr(0, end);
  const bool clean = rest.find("//") == rest.npos && rest.find("/.") == rest.npos;
  if (clean || !rest.starts_with('/')) return std::nullopt;
  const bool folder = rest.ends_with('/');
  std::string path;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (segment == "..") {
      path.resize(path.empty() ? 0 : path.rfind('/'));
    } else if (!segment.empty() && segment != ".") {
      path += '/';
      path += segment;
    }
  }
  if (folder || path.empty()) path += '/';
  path += target.substr(end);
  if (path == target) return std::nullopt;
  return path;
}

std::string Escaped(std::string_view target) {
  std::string out;
  for (const char c : target) {
    if (c > ' ' && c < '\x7f' && c != '\\') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string_view PathAndQuery(std::string_view target) {
  constexpr std::string_view kScheme = "://";
  const std::size_t scheme = target.find(kScheme);
  if (target.starts_with('/') || scheme == target.npos) return target;
  target.remove_prefix(scheme + kScheme.size());
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  target.remove_prefix(end);
  return target.starts_with('/') ? target : "/";
}

std::string DecodePath(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int high = path[i] == '%' && i + 2 < path.size() ? HexDigit(path[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(path[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

bool HasBrokenEscape(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  for (std::size_t at = 0; (at = path.find('%', at)) != path.npos; ++at) {
    const auto is_hex = [&](std::size_t i) { return i < path.size() && IsHexDigit(path[i]); };
    if (!is_hex(at + 1) || !is_hex(at + 2)) return true;
  }
  return false;
}

Response Moved(const std::string& method, const std::string& to) {
  Response response{301, "", "", {{"Location", to}}};
  if (method != "GET" && method != "HEAD") return response;
  response.content_type = "text/html; charset=utf-8";
  response.body = "<a href=\"" + formats::EscapeHtml(to) + "\">Moved Permanently</a>.\n\n";
  return response;
}

}  // namespace tocsin::api
