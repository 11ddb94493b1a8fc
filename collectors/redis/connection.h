#pragma once

// A logged-in connection to one Redis. Commands go out as a pipeline: one round
// trip for all of a collection's. Not thread-safe.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/redis/address.h"
#include "collectors/redis/reply.h"
#include "collectors/redis/stream.h"
#include "daemon/base/deadline.h"
#include "daemon/base/result.h"

namespace tocsin::collectors::redis {

using Command = std::vector<std::string>;

class Connection {
 public:
  // Connects, logs in and selects the database.
  // Errors: as OpenStream, kPermissionDenied (user or password refused).
  static Result<std::unique_ptr<Connection>> Open(const RedisAddress& address,
                                                  const Deadline& deadline);

  // Sends the commands and returns as many replies, in order; error replies are
  // replies. After an error the connection is of no use.
  // Errors: kUnavailable, kDeadlineExceeded, kCancelled, kCorruption,
  // kResourceExhausted.
  Result<std::vector<Reply>> Run(const std::vector<Command>& commands, const Deadline& deadline);

  // True if the peer has closed or spoken unasked since the last Run.
  bool LostWhileIdle() const { return stream_->HasInput(); }

 private:
  explicit Connection(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  Result<> LogIn(const RedisAddress& address, const Deadline& deadline);
  Result<Reply> ReadReply(const Deadline& deadline);

  std::unique_ptr<Stream> stream_;
  ReplyReader reader_;
};

// What an error reply means to whoever asked: kPermissionDenied for NOAUTH,
// NOPERM, WRONGPASS and DENIED, otherwise kUnavailable.
ErrorCode ErrorCodeOf(const Reply& reply);

}  // namespace tocsin::collectors::redis
