#include "collectors/redis/address.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "daemon/base/host_port.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

constexpr int kMaxDatabase = 1'000'000;

Error Wrong(std::string_view what) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{} (write redis://[user[:password]@]host[:port][/db], rediss://… or "
                      "unix:///path[?db=N])",
                      what)};
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    auto high = HexDigit(text[i + 1]);
    auto low = HexDigit(text[i + 2]);
    if (!high.has_value() || !low.has_value()) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Result<> TakeDatabase(std::string_view text, RedisAddress& address) {
  if (text.empty()) return {};
  auto number = ParseInt(text);
  if (!number.has_value() || *number < 0 || *number > kMaxDatabase) {
    return Wrong("the database is a number from 0");
  }
  address.database = static_cast<int>(*number);
  return {};
}

Result<> TakeUserInfo(std::string_view text, RedisAddress& address) {
  std::size_t colon = text.find(':');
  auto user = PercentDecoded(text.substr(0, colon));
  auto password = colon == std::string_view::npos ? std::optional<std::string>("")
                                                  : PercentDecoded(text.substr(colon + 1));
  if (!user.has_value() || !password.has_value()) {
    return Wrong("user and password must be percent-encoded");
  }
  address.user = std::move(*user);
  address.password = Secret(std::move(*password));
  return {};
}

Result<> TakeHost(std::string_view text, RedisAddress& address) {
  const auto parts = SplitHostPort(text);
  if (!parts) return Wrong("an IPv6 address stands in brackets");
  if (parts->host.empty()) return Wrong("no host");
  address.host = parts->host;
  if (!parts->port || parts->port->empty()) return {};
  const auto port = ParsePort(*parts->port);
  if (!port) return Wrong("the port is a number between 1 and 65535");
  address.port = *port;
  return {};
}

Result<RedisAddress> ParseUnixUrl(std::string_view rest) {
  RedisAddress address;
  std::size_t question = rest.find('?');
  auto path = PercentDecoded(rest.substr(0, question));
  if (!path.has_value() || path->empty() || path->front() != '/') {
    return Wrong("the socket's path must be absolute");
  }
  address.unix_path = std::move(*path);
  if (question != std::string_view::npos) {
    std::string_view query = rest.substr(question + 1);
    if (!ConsumePrefix(query, "db=")) return Wrong("only ?db=N may follow the path");
    TOCSIN_RETURN_IF_ERROR(TakeDatabase(query, address));
  }
  return address;
}

}  // namespace

std::string RedisAddress::Instance() const {
  if (!unix_path.empty()) return unix_path;
  return HostPortText(host, port);
}

Result<RedisAddress> ParseRedisUrl(std::string_view url) {
  if (ConsumePrefix(url, "unix://")) return ParseUnixUrl(url);
  RedisAddress address;
  address.use_tls = ConsumePrefix(url, "rediss://");
  if (!address.use_tls && !ConsumePrefix(url, "redis://")) return Wrong("unknown scheme");
  std::size_t slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos) {
    TOCSIN_RETURN_IF_ERROR(TakeDatabase(url.substr(slash + 1), address));
  }
  std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    TOCSIN_RETURN_IF_ERROR(TakeUserInfo(authority.substr(0, at), address));
    authority.remove_prefix(at + 1);
  }
  TOCSIN_RETURN_IF_ERROR(TakeHost(authority, address));
  return address;
}

}  // namespace tocsin::collectors::redis
