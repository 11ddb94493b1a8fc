#include "collectors/redis/commands.h"

#include <algorithm>
#include <optional>
#include <string>

#include "collectors/redis/sentinel.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

using model::MetricBatch;
using model::MetricType;

Error Unexpected(std::string_view command) {
  return {ErrorCode::kCorruption, std::string(command) + " answered something unexpected"};
}

// One key at a time and never "*": the rest holds passwords.
struct ConfigKey {
  std::string_view key;
  std::string_view metric;  // Empty: read for another part, or not a number.
};

constexpr std::string_view kOutputLimits = "client-output-buffer-limit";
constexpr std::string_view kDatabases = "databases";
constexpr ConfigKey kConfigKeys[] = {
    {kDatabases, ""},
    {"maxclients", "redis_config_maxclients"},
    {"maxmemory", "redis_config_maxmemory"},
    {"io-threads", "redis_config_io_threads"},
    {"repl-backlog-size", "redis_config_repl_backlog_size"},
    {kOutputLimits, ""},
};

std::vector<Command> ConfigCommands(const Info&) {
  std::vector<Command> commands;
  for (const ConfigKey& key : kConfigKeys) {
    commands.push_back({"CONFIG", "GET", std::string(key.key)});
  }
  return commands;
}

// "normal 0 0 0 slave 268435456 67108864 60 …": class, hard limit, soft limit, seconds.
void WriteOutputLimits(std::string_view text, MetricBatch& batch) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  auto bytes = batch.DeclareFamily("redis_config_client_output_buffer_limit_bytes",
                                   "Output buffer limits per class of client", MetricType::kGauge,
                                   {"class", "limit"});
  auto seconds = batch.DeclareFamily("redis_config_client_output_buffer_limit_overcome_seconds",
                                     "How long a client may exceed the soft limit",
                                     MetricType::kGauge, {"class", "limit"});
  for (std::size_t i = 0; i + 3 < words.size() && i / 4 < kMaxReplyRows; i += 4) {
    auto hard = ParseDouble(words[i + 1]);
    auto soft = ParseDouble(words[i + 2]);
    auto limit = ParseDouble(words[i + 3]);
    if (!hard.has_value() || !soft.has_value() || !limit.has_value()) continue;
    batch.Add(bytes, {words[i], "hard"}, *hard);
    batch.Add(bytes, {words[i], "soft"}, *soft);
    batch.Add(seconds, {words[i], "soft"}, *limit);
  }
}

Result<> WriteConfig(std::span<const Reply> replies, const Info&, Findings& findings,
                     MetricBatch& batch) {
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const ConfigKey& key = kConfigKeys[i];
    if (!replies[i].IsArray()) return Unexpected("CONFIG GET");
    const Reply* value = replies[i].FindPair(key.key);
    if (value == nullptr || !value->IsText()) continue;  // Not in this version.
    auto number = ParseDouble(value->text);
    if (key.key == kOutputLimits) {
      WriteOutputLimits(value->text, batch);
    } else if (key.key == kDatabases) {
      if (number.has_value() && *number >= 1) {
        findings.databases = static_cast<int>(std::min<double>(*number, kMaxDatabases));
      }
    } else if (number.has_value()) {
      batch.AddGauge(key.metric, "Configured value", *number);
    }
  }
  return {};
}

std::vector<Command> SlowlogCommands(const Info&) {
  return {{"SLOWLOG", "LEN"}, {"SLOWLOG", "GET", "1"}};
}

// An entry is id, Unix time, microseconds, arguments, …
Result<> WriteSlowlog(std::span<const Reply> replies, const Info&, Findings&, MetricBatch& batch) {
  if (replies[0].type != Reply::Type::kInteger || !replies[1].IsArray()) {
    return Unexpected("SLOWLOG");
  }
  double id = 0;
  double seconds = 0;
  if (!replies[1].elements.empty()) {
    const std::vector<Reply>& entry = replies[1].elements[0].elements;
    if (entry.size() < 3) return Unexpected("SLOWLOG GET");
    id = static_cast<double>(entry[0].integer);
    seconds = static_cast<double>(entry[2].integer) / 1e6;
  }
  batch.AddGauge("redis_slowlog_length", "Entries in the slow log",
                 static_cast<double>(replies[0].integer));
  batch.AddGauge("redis_slowlog_last_id", "Number of the last entry in the slow log", id);
  batch.AddGauge("redis_last_slow_execution_duration_seconds",
                 "How long the last command in the slow log took", seconds);
  return {};
}

std::vector<Command> LatencyCommands(const Info&) { return {{"LATENCY", "LATEST"}}; }

// A row is event, Unix time, milliseconds of the last spike, of the worst.
Result<> WriteLatency(std::span<const Reply> replies, const Info&, Findings&, MetricBatch& batch) {
  if (!replies[0].IsArray()) return Unexpected("LATENCY LATEST");
  auto last = batch.DeclareFamily("redis_latency_spike_last", "When the latency spike occurred",
                                  MetricType::kGauge, {"event_name"});
  auto duration =
      batch.DeclareFamily("redis_latency_spike_duration_seconds", "How long the last spike was",
                          MetricType::kGauge, {"event_name"});
  std::size_t rows = std::min(replies[0].elements.size(), kMaxReplyRows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::vector<Reply>& row = replies[0].elements[i].elements;
    if (row.size() < 3 || !row[0].IsText()) return Unexpected("LATENCY LATEST");
    batch.Add(last, {row[0].text}, static_cast<double>(row[1].integer));
    batch.Add(duration, {row[0].text}, static_cast<double>(row[2].integer) / 1000);
  }
  return {};
}

std::vector<Command> HistogramCommands(const Info&) { return {{"LATENCY", "HISTOGRAM"}}; }

void AddHistogram(std::string_view command, const Reply& details, const Info& info,
                  MetricBatch& batch) {
  const Reply* calls = details.FindPair("calls");
  const Reply* buckets = details.FindPair("histogram_usec");
  if (calls == nullptr || buckets == nullptr) return;
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  std::int64_t below = 0;  // Redis counts cumulatively.
  for (std::size_t i = 0; i + 1 < buckets->elements.size(); i += 2) {
    auto bound = static_cast<double>(buckets->elements[i].integer);
    std::int64_t count = buckets->elements[i + 1].integer;
    if (count < below || (!bounds.empty() && bound <= bounds.back())) return;
    bounds.push_back(bound);
    counts.push_back(static_cast<std::uint64_t>(count - below));
    below = count;
  }
  counts.push_back(static_cast<std::uint64_t>(std::max<std::int64_t>(calls->integer - below, 0)));
  std::string counters = "cmdstat_" + std::string(command);
  auto sum = CommaField(info.Get(counters), "usec");
  auto family = batch.DeclareFamily("redis_commands_latencies_usec", "Latencies per command",
                                    MetricType::kHistogram, {"cmd"});
  batch.AddHistogram(family, std::span(&command, 1),
                     {bounds, counts, sum.has_value() ? ParseDouble(*sum).value_or(0) : 0});
}

// Pairs of a command and [calls, n, histogram_usec, [bound, count, …]]. Redis 7.
Result<> WriteHistograms(std::span<const Reply> replies, const Info& info, Findings&,
                         MetricBatch& batch) {
  if (!replies[0].IsArray()) return Unexpected("LATENCY HISTOGRAM");
  const std::vector<Reply>& pairs = replies[0].elements;
  std::size_t limit = std::min(pairs.size(), 2 * kMaxReplyRows);
  for (std::size_t i = 0; i + 1 < limit; i += 2) {
    if (!pairs[i].IsText()) return Unexpected("LATENCY HISTOGRAM");
    AddHistogram(pairs[i].text, pairs[i + 1], info, batch);
  }
  return {};
}

std::vector<Command> CommandLogCommands(const Info&) {
  return {{"COMMANDLOG", "LEN", "slow"},
          {"COMMANDLOG", "LEN", "large-request"},
          {"COMMANDLOG", "LEN", "large-reply"}};
}

Result<> WriteCommandLog(std::span<const Reply> replies, const Info&, Findings&,
                         MetricBatch& batch) {
  static constexpr std::string_view kMetrics[] = {"redis_commandlog_slow_length",
                                                  "redis_commandlog_large_request_length",
                                                  "redis_commandlog_large_reply_length"};
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].type != Reply::Type::kInteger) return Unexpected("COMMANDLOG LEN");
    batch.AddGauge(kMetrics[i], "Entries in the command log",
                   static_cast<double>(replies[i].integer));
  }
  return {};
}

std::vector<Command> CommandLogConfigCommands(const Info&) {
  return {{"CONFIG", "GET", "commandlog-*"}};
}

Result<> WriteCommandLogConfig(std::span<const Reply> replies, const Info&, Findings&,
                               MetricBatch& batch) {
  static constexpr ConfigKey kKeys[] = {
      {"commandlog-execution-slower-than", "redis_commandlog_execution_slower_than"},
      {"commandlog-slow-execution-max-len", "redis_commandlog_slow_execution_max_len"},
      {"commandlog-request-larger-than", "redis_commandlog_request_larger_than"},
      {"commandlog-large-request-max-len", "redis_commandlog_large_request_max_len"},
      {"commandlog-reply-larger-than", "redis_commandlog_reply_larger_than"},
      {"commandlog-large-reply-max-len", "redis_commandlog_large_reply_max_len"},
  };
  if (!replies[0].IsArray()) return Unexpected("CONFIG GET");
  for (const ConfigKey& key : kKeys) {
    const Reply* value = replies[0].FindPair(key.key);
    if (value == nullptr || !value->IsText()) continue;
    auto number = ParseDouble(value->text);
    if (number.has_value()) batch.AddGauge(key.metric, "Configured value", *number);
  }
  return {};
}

// Valkey has it since 8.1.
bool HasCommandLog(const Info& info) {
  std::string_view version = info.Get("valkey_version");
  std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) return false;
  std::string_view rest = version.substr(dot + 1);
  auto major = ParseInt(version.substr(0, dot));
  auto minor = ParseInt(rest.substr(0, rest.find('.')));
  return major.has_value() && minor.has_value() && (*major > 8 || (*major == 8 && *minor >= 1));
}

std::vector<Command> ClusterCommands(const Info&) { return {{"CLUSTER", "INFO"}}; }

Result<> WriteCluster(std::span<const Reply> replies, const Info&, Findings&, MetricBatch& batch) {
  if (!replies[0].IsText()) return Unexpected("CLUSTER INFO");
  WriteClusterInfo(Info(replies[0].text), batch);
  return {};
}

bool IsClustered(const Info& info) { return info.Get("cluster_enabled") == "1"; }

constexpr OptionalPart kParts[] = {
    {"config", ConfigCommands, WriteConfig, "+config|get"},
    {"slowlog", SlowlogCommands, WriteSlowlog, "+slowlog|len +slowlog|get"},
    {"latency", LatencyCommands, WriteLatency, "+latency|latest"},
    {"latency_histogram", HistogramCommands, WriteHistograms, "+latency|histogram"},
    {"cluster", ClusterCommands, WriteCluster, "+cluster|info", IsClustered},
    {"commandlog", CommandLogCommands, WriteCommandLog, "+commandlog|len", HasCommandLog},
    {"commandlog_config", CommandLogConfigCommands, WriteCommandLogConfig, "+config|get",
     HasCommandLog},
    {"sentinel", SentinelCommands, WriteSentinel,
     "+sentinel|masters +sentinel|sentinels +sentinel|replicas", IsSentinel},
    {"sentinel_quorum", QuorumCommands, WriteQuorum, "+sentinel|ckquorum", IsSentinel, kNoQuorum},
};

}  // namespace

std::span<const OptionalPart> OptionalParts() { return kParts; }

}  // namespace tocsin::collectors::redis
