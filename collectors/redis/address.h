#pragma once

// Where a Redis is and who to be there.

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/http_client.h"
#include "daemon/base/result.h"
#include "daemon/base/secret.h"

namespace tocsin::collectors::redis {

struct RedisAddress {
  std::string unix_path;  // Empty: host and port.
  std::string host;
  std::uint16_t port = 6379;
  int database = 0;
  std::string user;  // Empty: the default user.
  Secret password;
  bool use_tls = false;
  TlsOptions tls;

  // "host:port" ("[::1]:6379"), or the socket's path.
  std::string Instance() const;
};

// Errors: kInvalidArgument, with what is allowed; the message never quotes `url`.
Result<RedisAddress> ParseRedisUrl(std::string_view url);

}  // namespace tocsin::collectors::redis
