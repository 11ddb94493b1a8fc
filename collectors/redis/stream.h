#pragma once

// The way to a Redis.

#include <memory>

#include "collectors/redis/address.h"
#include "daemon/base/stream.h"

namespace tocsin::collectors::redis {

// Resolves, connects and, if the address says so, shakes hands.
// Errors: as Resolve and Socket::Connect…; kUnavailable also for a failed
// handshake or a certificate that is not accepted, with the reason.
Result<std::unique_ptr<Stream>> OpenStream(const RedisAddress& address, const Deadline& deadline);

}  // namespace tocsin::collectors::redis
