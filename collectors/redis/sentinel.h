#pragma once

// What a Sentinel says of the masters it watches: a line of INFO for each, and the
// answers to SENTINEL MASTERS, SENTINELS, REPLICAS and CKQUORUM.

#include <span>
#include <string_view>
#include <vector>

#include "collectors/redis/commands.h"
#include "collectors/redis/connection.h"
#include "collectors/redis/info.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

bool IsSentinel(const Info& info);

// "name=main,status=ok,address=10.0.0.1:6379,slaves=2,sentinels=3", of INFO's masterN.
void WriteSentinelMaster(std::string_view value, model::MetricBatch& batch);

// MASTERS, then SENTINELS and REPLICAS of each master that `info` names.
std::vector<Command> SentinelCommands(const Info& info);
// Errors: kCorruption when `replies` are not what these commands answer.
Result<> WriteSentinel(std::span<const Reply> replies, const Info& info, Findings& findings,
                       model::MetricBatch& batch);

// The error of CKQUORUM that is an answer: the Sentinels could not agree on a failover.
inline constexpr std::string_view kNoQuorum = "NOQUORUM";

// CKQUORUM of each master that `info` names.
std::vector<Command> QuorumCommands(const Info& info);
Result<> WriteQuorum(std::span<const Reply> replies, const Info& info, Findings& findings,
                     model::MetricBatch& batch);

}  // namespace tocsin::collectors::redis
