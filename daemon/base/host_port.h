#pragma once

// "host:port" as people write it, an IPv6 address in brackets. Stateless; thread-safe.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// Views of the text that was taken apart.
struct HostPort {
  std::string_view host;                 // Without brackets; empty of ":9877".
  std::optional<std::string_view> port;  // What follows the colon; nothing without one.
};

// "db", "db:5432", "[::1]", "[::1]:5432", ":5432". Nothing if brackets do not match or a
// host without them has a colon.
std::optional<HostPort> SplitHostPort(std::string_view text);

// Nothing unless it is a number from 1 to 65535.
std::optional<std::uint16_t> ParsePort(std::string_view text);

// The host as it stands before a port: an IPv6 address in brackets.
std::string HostText(std::string_view host);
std::string HostPortText(std::string_view host, int port);

}  // namespace tocsin
