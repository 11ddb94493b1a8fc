#pragma once

// The commands asked beside INFO, each optional: what to send, and what to make
// of the replies. All of them travel in one pipeline with INFO, but for those that
// only some servers have, which follow in a second.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "collectors/redis/connection.h"
#include "collectors/redis/info.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

// What the replies say that other parts need.
struct Findings {
  int databases = 0;  // 0: not told.
};

struct OptionalPart {
  std::string_view name;  // The label `collector` of its success.
  // `info` is empty for those that travel with INFO.
  std::vector<Command> (*commands)(const Info& info);
  // `replies` are as many as commands, none of them an error but `answering_error`.
  // Errors: kCorruption when they are not what the command answers.
  Result<> (*write)(std::span<const Reply> replies, const Info& info, Findings& findings,
                    model::MetricBatch& batch);
  // How to let tocsin's user ask this.
  std::string_view how_to_allow;
  // Which servers are asked, by their INFO; null: all, in one pipeline with it.
  bool (*applies)(const Info& info) = nullptr;
  // The first word of an error reply that is an answer; empty: there is none.
  std::string_view answering_error = {};
};

std::span<const OptionalPart> OptionalParts();

// Events, commands and buffer classes exported at most, each.
inline constexpr std::size_t kMaxReplyRows = 1'000;

}  // namespace tocsin::collectors::redis
