#include "collectors/redis/sentinel.h"

#include <algorithm>
#include <map>
#include <string>

#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

using model::MetricBatch;
using model::MetricType;

// The masters that INFO names, no more than have series.
std::vector<std::string_view> MasterNames(const Info& info) {
  std::vector<std::string_view> names;
  for (const Info::Field& field : info.fields()) {
    if (!NumberedField(field.name, kSentinelMasterPrefix).has_value()) continue;
    const auto name = CommaField(field.value, "name");
    if (name.has_value() && names.size() < kMaxNamesPerFamily) names.push_back(*name);
  }
  return names;
}

std::string_view TextOf(const Reply& pairs, std::string_view name) {
  const Reply* value = pairs.FindPair(name);
  return value != nullptr && value->IsText() ? std::string_view(value->text) : std::string_view();
}

void WriteOfMaster(std::string_view metric, std::string_view help, std::string_view name,
                   std::string_view address, double value, MetricBatch& batch) {
  batch.Add(
      batch.DeclareFamily(metric, help, MetricType::kGauge, {"master_name", "master_address"}),
      {name, address}, value);
}

void WriteSettings(const Reply& master, std::string_view address, MetricBatch& batch) {
  struct Setting {
    std::string_view field;
    std::string_view metric;
    std::string_view help;
    double divisor = 1;
  };
  static constexpr Setting kSettings[] = {
      {"quorum", "redis_sentinel_master_setting_ckquorum",
       "Sentinels that must agree that the master is down"},
      {"failover-timeout", "redis_sentinel_master_setting_failover_timeout",
       "Time-out of a failover, in milliseconds"},
      {"parallel-syncs", "redis_sentinel_master_setting_parallel_syncs",
       "Replicas that are pointed to a new master at once"},
      {"down-after-milliseconds", "redis_sentinel_master_setting_down_after_milliseconds",
       "After how long without an answer the master counts as down"},
      {"config-epoch", "redis_sentinel_master_config_epoch",
       "Version of what the Sentinels agree on about the master"},
      {"last-ok-ping-reply", "redis_sentinel_master_last_ok_ping_reply_seconds",
       "Since the master last answered a PING", 1e3},
  };
  for (const Setting& setting : kSettings) {
    const auto value = ParseDouble(TextOf(master, setting.field));
    if (!value.has_value()) continue;
    WriteOfMaster(setting.metric, setting.help, TextOf(master, "name"), address,
                  *value / setting.divisor, batch);
  }
}

// Those of `instances` that this Sentinel does not take for down.
double CountOk(const Reply& instances) {
  return static_cast<double>(std::count_if(
      instances.elements.begin(), instances.elements.end(), [](const Reply& instance) {
        const std::string_view flags = TextOf(instance, "flags");
        return !flags.empty() && flags.find("s_down") == flags.npos &&
               flags.find("o_down") == flags.npos;
      }));
}

}  // namespace

bool IsSentinel(const Info& info) { return !info.Get("sentinel_masters").empty(); }

void WriteSentinelMaster(std::string_view value, MetricBatch& batch) {
  const auto text = [&](std::string_view name) { return CommaField(value, name).value_or(""); };
  const auto replicas = ParseDouble(text("slaves"));
  const auto sentinels = ParseDouble(text("sentinels"));
  if (!replicas.has_value() || !sentinels.has_value()) return;
  const std::string_view name = text("name");
  const std::string_view address = text("address");
  const std::string_view status = text("status");
  batch.Add(
      batch.DeclareFamily("redis_sentinel_master_status", "1 if the Sentinel finds the master well",
                          MetricType::kGauge, {"master_name", "master_address", "master_status"}),
      {name, address, status}, status == "ok" ? 1 : 0);
  WriteOfMaster("redis_sentinel_master_slaves", "Replicas of the master", name, address, *replicas,
                batch);
  WriteOfMaster("redis_sentinel_master_sentinels", "Sentinels that watch the master", name, address,
                *sentinels, batch);
}

std::vector<Command> SentinelCommands(const Info& info) {
  std::vector<Command> commands{{"SENTINEL", "MASTERS"}};
  for (const std::string_view name : MasterNames(info)) {
    commands.push_back({"SENTINEL", "SENTINELS", std::string(name)});
    commands.push_back({"SENTINEL", "REPLICAS", std::string(name)});
  }
  return commands;
}

Result<> WriteSentinel(std::span<const Reply> replies, const Info& info, Findings&,
                       MetricBatch& batch) {
  const auto is_array = [](const Reply& reply) { return reply.IsArray(); };
  if (!std::all_of(replies.begin(), replies.end(), is_array)) {
    return Error{ErrorCode::kCorruption, "SENTINEL answered something unexpected"};
  }
  std::map<std::string_view, std::string> addresses;
  for (const Reply& master : replies[0].elements) {
    const std::string_view name = TextOf(master, "name");
    if (name.empty() || addresses.size() >= kMaxNamesPerFamily) continue;
    std::string address(TextOf(master, "ip"));
    address.append(":").append(TextOf(master, "port"));
    WriteSettings(master, address, batch);
    addresses.emplace(name, std::move(address));
  }
  replies = replies.subspan(1);
  for (const std::string_view name : MasterNames(info)) {
    const auto address = addresses.find(name);
    if (address != addresses.end()) {
      // The one that answers is well, and is not among the others that it knows.
      WriteOfMaster("redis_sentinel_master_ok_sentinels",
                    "Sentinels of the master that are not down", name, address->second,
                    1 + CountOk(replies[0]), batch);
      WriteOfMaster("redis_sentinel_master_ok_slaves", "Replicas of the master that are not down",
                    name, address->second, CountOk(replies[1]), batch);
    }
    replies = replies.subspan(2);
  }
  return {};
}

std::vector<Command> QuorumCommands(const Info& info) {
  std::vector<Command> commands;
  for (const std::string_view name : MasterNames(info)) {
    commands.push_back({"SENTINEL", "CKQUORUM", std::string(name)});
  }
  return commands;
}

Result<> WriteQuorum(std::span<const Reply> replies, const Info& info, Findings&,
                     MetricBatch& batch) {
  for (const std::string_view name : MasterNames(info)) {
    batch.Add(batch.DeclareFamily("redis_sentinel_master_ckquorum_status",
                                  "1 if the Sentinels could agree on a failover",
                                  MetricType::kGauge, {"master_name", "message"}),
              {name, replies[0].text}, replies[0].IsError() ? 0 : 1);
    replies = replies.subspan(1);
  }
  return {};
}

}  // namespace tocsin::collectors::redis
