#pragma once

// Redis' protocol (RESP2), read with hiredis' parser into values of our own, so
// that what a peer may make us allocate has a limit.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

struct redisReader;

namespace tocsin::collectors::redis {

struct Reply {
  enum class Type { kNil, kString, kStatus, kError, kInteger, kArray };

  Type type = Type::kNil;
  std::string text;             // Of kString, kStatus, kError.
  std::int64_t integer = 0;     // Of kInteger.
  std::vector<Reply> elements;  // Of kArray.

  bool IsError() const { return type == Type::kError; }
  bool IsArray() const { return type == Type::kArray; }
  bool IsText() const { return type == Type::kString || type == Type::kStatus; }

  // The first word of an error ("NOPERM"), empty otherwise.
  std::string_view ErrorWord() const;

  // The elements as name, value, name, value, …: the value of `name`, or nullptr.
  const Reply* FindPair(std::string_view name) const;
};

// Not thread-safe.
class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();

  // Takes bytes from the peer.
  // Errors: kResourceExhausted, when one reply is longer than kMaxReplyBytes.
  Result<> Feed(std::string_view bytes);

  // The next complete reply, nothing if more bytes are needed.
  // Errors: kCorruption (not the protocol), kResourceExhausted (kMaxReplyElements).
  // The reader is of no use after an error.
  Result<std::optional<Reply>> Next();

  static constexpr std::size_t kMaxReplyBytes = 16 << 20;
  static constexpr int kMaxReplyElements = 100'000;

 private:
  struct Deleter {
    void operator()(redisReader* reader) const;
  };

  int elements_left_ = kMaxReplyElements;  // Of the reply being read.
  std::size_t bytes_ = 0;                  // Fed since the last complete reply.
  std::unique_ptr<redisReader, Deleter> reader_;
};

// The request of one command.
std::string FormatCommand(const std::vector<std::string>& words);

}  // namespace tocsin::collectors::redis
