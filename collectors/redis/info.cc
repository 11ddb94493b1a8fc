#include "collectors/redis/info.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "collectors/redis/info_metrics.h"
#include "collectors/redis/sentinel.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

using model::MetricBatch;
using model::MetricType;

constexpr std::string_view kCommandPrefix = "cmdstat_";
constexpr std::string_view kErrorPrefix = "errorstat_";
constexpr std::string_view kLatencyPrefix = "latency_percentiles_usec_";

// Redis may add fields of the cluster; each is a gauge of its own name.
constexpr std::string_view kClusterPrefix = "cluster_";

// Writes a field that is a number and has a metric.
void WriteNumber(const Info::Field& field, std::string_view told_by, MetricBatch& batch) {
  const InfoMetric* metric = FindInfoMetric(field.name);
  if (metric == nullptr && !field.name.starts_with(kClusterPrefix)) return;
  auto value = InfoNumber(field.value);
  if (!value.has_value()) return;
  std::string help = fmt::format("{} field {}", told_by, field.name);
  if (metric != nullptr) {
    batch.Add(batch.DeclareFamily(metric->metric, help, metric->type), *value / metric->divisor);
    return;
  }
  std::string name = fmt::format("redis_{}", field.name);
  for (char& c : name) {
    bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!allowed) c = '_';
  }
  batch.AddGauge(name, help, *value);
}

std::optional<double> CommaNumber(std::string_view text, std::string_view name) {
  auto field = CommaField(text, name);
  return field.has_value() ? ParseDouble(*field) : std::nullopt;
}

class InfoWriter {
 public:
  InfoWriter(const Info& info, MetricBatch& batch) : info_(info), batch_(batch) {}

  std::int64_t Write(int databases, WallTime now) {
    for (const Info::Field& field : info_.fields()) WriteField(field);
    WriteDatabases(databases);
    WriteLatencySummaries();
    WriteReplica();
    WriteInstance();
    WriteStartTime(now);
    return left_out_;
  }

 private:
  void Gauge(std::string_view name, std::string_view help,
             std::initializer_list<std::string_view> labels,
             std::initializer_list<std::string_view> values, double value) {
    batch_.Add(batch_.DeclareFamily(name, help, MetricType::kGauge, labels), values, value);
  }
  void Counter(std::string_view name, std::string_view help, std::string_view label,
               std::string_view label_value, std::optional<double> value, double divisor = 1) {
    if (!value.has_value()) return;
    batch_.Add(batch_.DeclareFamily(name, help, MetricType::kCounter, {label}), {label_value},
               *value / divisor);
  }

  void WriteField(const Info::Field& field) {
    if (field.name.starts_with(kCommandPrefix)) {
      WriteCommand(field);
    } else if (field.name.starts_with(kErrorPrefix)) {
      WriteErrorCount(field);
    } else if (NumberedField(field.name, "slave").has_value()) {
      WriteConnectedReplica(field.value);
    } else if (NumberedField(field.name, kSentinelMasterPrefix).has_value()) {
      if (++sentinel_masters_ > kMaxNamesPerFamily) {
        ++left_out_;
      } else {
        WriteSentinelMaster(field.value, batch_);
      }
    } else if (field.name.starts_with(kClusterPrefix) && ++cluster_fields_ > kMaxNamesPerFamily) {
      ++left_out_;
    } else {
      WriteNumber(field, "INFO", batch_);
    }
  }

  void WriteCommand(const Info::Field& field) {
    std::string_view command = field.name.substr(kCommandPrefix.size());
    if (++commands_ > kMaxNamesPerFamily) {
      ++left_out_;
      return;
    }
    Counter("redis_commands_total", "Calls per command", "cmd", command,
            CommaNumber(field.value, "calls"));
    Counter("redis_commands_duration_seconds_total", "Time spent per command", "cmd", command,
            CommaNumber(field.value, "usec"), 1e6);
    Counter("redis_commands_rejected_calls_total", "Calls refused before execution, per command",
            "cmd", command, CommaNumber(field.value, "rejected_calls"));
    Counter("redis_commands_failed_calls_total", "Calls that failed in execution, per command",
            "cmd", command, CommaNumber(field.value, "failed_calls"));
  }

  void WriteErrorCount(const Info::Field& field) {
    if (++errors_ > kMaxNamesPerFamily) {
      ++left_out_;
      return;
    }
    Counter("redis_errors_total", "Error replies per kind", "err",
            field.name.substr(kErrorPrefix.size()), CommaNumber(field.value, "count"));
  }

  void WriteConnectedReplica(std::string_view value) {
    auto ip = CommaField(value, "ip");
    auto port = CommaField(value, "port");
    auto state = CommaField(value, "state");
    auto offset = CommaNumber(value, "offset");
    if (!ip.has_value() || !port.has_value() || !state.has_value() || !offset.has_value()) return;
    Gauge("redis_connected_slave_offset_bytes", "Replication offset of a connected replica",
          {"slave_ip", "slave_port", "slave_state"}, {*ip, *port, *state}, *offset);
    auto lag = CommaNumber(value, "lag");
    if (lag.has_value() && *lag >= 0) {
      Gauge("redis_connected_slave_lag_seconds", "Seconds since a connected replica was heard of",
            {"slave_ip", "slave_port", "slave_state"}, {*ip, *port, *state}, *lag);
    }
  }

  // Databases without a key are not in INFO; dashboards rely on their zeros.
  void WriteDatabases(int databases) {
    struct KeyspaceField {
      std::string_view field;
      std::string_view metric;
      double divisor;
      bool zero_filled;
      std::string_view help;
    };
    static constexpr KeyspaceField kKeyspace[] = {
        {"keys", "redis_db_keys", 1, true, "Keys per database"},
        {"expires", "redis_db_keys_expiring", 1, true, "Keys with a time to live per database"},
        {"avg_ttl", "redis_db_avg_ttl_seconds", 1e3, false, "Average time to live per database"},
        {"cached_keys", "redis_db_keys_cached", 1, false, "Cached keys per database"},
        {"subexpiry", "redis_db_keys_with_expiring_items", 1, false,
         "Keys that hold items with a time to live"},
        {"keys_with_volatile_items", "redis_db_keys_with_expiring_items", 1, false,
         "Keys that hold items with a time to live"},
    };
    std::set<std::int64_t> present;
    for (const Info::Field& field : info_.fields()) {
      auto number = NumberedField(field.name, "db");
      if (!number.has_value() || !CommaNumber(field.value, "keys").has_value()) continue;
      if (present.size() >= static_cast<std::size_t>(kMaxDatabases)) {
        ++left_out_;
        continue;
      }
      present.insert(*number);
      for (const KeyspaceField& known : kKeyspace) {
        auto value = CommaNumber(field.value, known.field);
        if (value.has_value()) {
          Gauge(known.metric, known.help, {"db"}, {field.name}, *value / known.divisor);
        }
      }
    }
    for (int i = 0; i < std::min(databases, kMaxDatabases); ++i) {
      if (present.contains(i)) continue;
      std::string name = "db" + std::to_string(i);
      for (const KeyspaceField& known : kKeyspace) {
        if (known.zero_filled) Gauge(known.metric, known.help, {"db"}, {name}, 0);
      }
    }
  }

  // A summary needs its count and sum, which are among the command's counters.
  void WriteLatencySummaries() {
    constexpr std::string_view kName = "redis_latency_percentiles_usec";
    std::size_t commands = 0;
    for (const Info::Field& field : info_.fields()) {
      if (!field.name.starts_with(kLatencyPrefix)) continue;
      std::string_view command = field.name.substr(kLatencyPrefix.size());
      help_.assign(kCommandPrefix).append(command);
      std::string_view counters = info_.Get(help_);
      auto calls = CommaNumber(counters, "calls");
      auto microseconds = CommaNumber(counters, "usec");
      if (!calls.has_value() || !microseconds.has_value()) continue;
      if (++commands > kMaxNamesPerFamily) {
        ++left_out_;
        continue;
      }
      auto family = batch_.DeclareFamily(kName, "Latency percentiles per command",
                                         MetricType::kSummary, {"cmd"});
      const model::LabelView command_label{"cmd", command};
      for (std::string_view rest = field.value; !rest.empty();) {
        std::size_t comma = rest.find(',');
        WriteQuantile(family, kName, command_label, rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      }
      batch_.AddSample(family, "redis_latency_percentiles_usec_sum", {&command_label, 1},
                       *microseconds);
      batch_.AddSample(family, "redis_latency_percentiles_usec_count", {&command_label, 1}, *calls);
    }
  }

  // "p99.9=12.5" becomes quantile="99.9".
  void WriteQuantile(MetricBatch::FamilyId family, std::string_view name,
                     const model::LabelView& command, std::string_view text) {
    std::size_t equals = text.find('=');
    if (!text.starts_with('p') || equals == std::string_view::npos) return;
    auto value = ParseDouble(text.substr(equals + 1));
    if (!value.has_value()) return;
    std::array<model::LabelView, 2> labels{
        command, model::LabelView{"quantile", text.substr(1, equals - 1)}};
    batch_.AddSample(family, name, labels, *value);
  }

  // What a replica says of its master (KeyDB: of its masters, master_1_host, …).
  void WriteReplica() {
    std::string_view host, port;
    for (const auto& [name, value] : info_.fields()) {
      if (!name.starts_with("master") && name != "slave_repl_offset") continue;
      if (name.ends_with("_host")) {
        host = value;
      } else if (name.ends_with("_port")) {
        port = value;
      } else if (name.ends_with("_link_status")) {
        Gauge("redis_master_link_up", "1 if the link to the master is up",
              {"master_host", "master_port"}, {host, port}, value == "up" ? 1 : 0);
      } else if (name.ends_with("_last_io_seconds_ago")) {
        WriteOfMaster("redis_master_last_io_seconds_ago", "Seconds since the master was heard of",
                      host, port, value);
      } else if (name.ends_with("_sync_in_progress")) {
        WriteOfMaster("redis_master_sync_in_progress", "1 while the replica is being filled", host,
                      port, value);
      } else if (name == "slave_repl_offset") {
        WriteOfMaster("redis_slave_repl_offset", "Replication offset of this replica", host, port,
                      value);
      }
    }
    if (info_.Get("role") == "slave") {
      Gauge("redis_slave_info", "This replica", {"master_host", "master_port", "read_only"},
            {info_.Get("master_host"), info_.Get("master_port"), info_.Get("slave_read_only")}, 1);
    }
  }

  void WriteOfMaster(std::string_view metric, std::string_view help, std::string_view host,
                     std::string_view port, std::string_view text) {
    auto value = ParseDouble(text);
    if (value.has_value()) {
      Gauge(metric, help, {"master_host", "master_port"}, {host, port}, *value);
    }
  }

  void WriteInstance() {
    static constexpr std::string_view kLabels[] = {"role",
                                                   "redis_version",
                                                   "redis_build_id",
                                                   "redis_mode",
                                                   "os",
                                                   "maxmemory_policy",
                                                   "tcp_port",
                                                   "run_id",
                                                   "process_id",
                                                   "master_replid",
                                                   "valkey_version",
                                                   "valkey_release_stage",
                                                   "availability_zone"};
    std::array<std::string_view, std::size(kLabels)> values;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = info_.Get(kLabels[i]);
    if (values[3].empty()) values[3] = info_.Get("server_mode");  // Valkey's name for it.
    auto family = batch_.DeclareFamily("redis_instance_info", "The Redis instance",
                                       MetricType::kGauge, std::span(kLabels));
    batch_.Add(family, std::span(values), 1);
  }

  // From the server's own clock where it tells it, so that the value stays put.
  void WriteStartTime(WallTime now) {
    auto uptime = info_.Number("uptime_in_seconds");
    if (!uptime.has_value()) return;
    auto server_microseconds = info_.Number("server_time_usec");
    double seconds = server_microseconds.has_value()
                         ? *server_microseconds / 1e6
                         : static_cast<double>(ToUnixMillis(now)) / 1000;
    batch_.AddGauge("redis_start_time_seconds", "When the Redis instance started, in Unix time",
                    std::floor(seconds) - *uptime);
  }

  const Info& info_;
  MetricBatch& batch_;
  std::string help_;  // Room for texts put together.
  std::size_t commands_ = 0;
  std::size_t errors_ = 0;
  std::size_t cluster_fields_ = 0;
  std::size_t sentinel_masters_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace

Info::Info(std::string_view text) {
  bool skip = false;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = TrimSpace(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // Valkey 9.1 repeats CLUSTER INFO here, under names that mean something else.
    if (line.starts_with('#')) skip = line == "# Cluster Info";
    std::size_t colon = line.find(':');
    if (skip || line.starts_with('#') || colon == std::string_view::npos) continue;
    Field field{line.substr(0, colon), line.substr(colon + 1)};
    if (values_.emplace(field.name, field.value).second) fields_.push_back(field);
  }
}

std::string_view Info::Get(std::string_view name) const {
  auto found = values_.find(name);
  return found == values_.end() ? std::string_view() : found->second;
}

std::optional<double> Info::Number(std::string_view name) const { return InfoNumber(Get(name)); }

std::optional<double> InfoNumber(std::string_view text) {
  if (text == "ok" || text == "true") return 1;
  if (text == "err" || text == "fail" || text == "false") return 0;
  return ParseDouble(text);
}

std::optional<std::string_view> CommaField(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=') {
      return part.substr(name.size() + 1);
    }
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return std::nullopt;
}

std::optional<std::int64_t> NumberedField(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
  auto number = ParseInt(name.substr(prefix.size()));
  return number.has_value() && *number >= 0 ? number : std::nullopt;
}

std::int64_t WriteInfo(const Info& info, int databases, WallTime now, MetricBatch& batch) {
  return InfoWriter(info, batch).Write(databases, now);
}

void WriteClusterInfo(const Info& info, MetricBatch& batch) {
  std::size_t written = 0;
  for (const Info::Field& field : info.fields()) {
    if (!field.name.starts_with(kClusterPrefix)) continue;
    if (++written > kMaxNamesPerFamily) return;
    WriteNumber(field, "CLUSTER INFO", batch);
  }
}

}  // namespace tocsin::collectors::redis
