#include "daemon/base/host_port.h"

#include "daemon/base/text.h"

namespace tocsin {
namespace {

constexpr std::int64_t kMaxPort = 65535;

}  // namespace

std::optional<HostPort> SplitHostPort(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = text.find(bracketed ? ']' : ':');
  if (bracketed && end == text.npos) return std::nullopt;
  HostPort parts;
  parts.host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  std::string_view rest;
  if (end != text.npos) rest = text.substr(bracketed ? end + 1 : end);
  if (parts.host.find_first_of("[]") != text.npos) return std::nullopt;
  if (rest.empty()) return parts;
  if (rest.front() != ':' || rest.find_first_of(":[]", 1) != rest.npos) return std::nullopt;
  parts.port = rest.substr(1);
  return parts;
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  const auto port = ParseInt(text);
  if (!port || *port < 1 || *port > kMaxPort) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

std::string HostText(std::string_view host) {
  const bool is_ipv6 = host.find(':') != host.npos && !host.starts_with('/');
  return is_ipv6 ? "[" + std::string(host) + "]" : std::string(host);
}

std::string HostPortText(std::string_view host, int port) {
  return HostText(host) + ":" + std::to_string(port);
}

}  // namespace tocsin
