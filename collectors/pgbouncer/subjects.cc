#include "collectors/pgbouncer/subjects.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tocsin::collectors::pgbouncer {
namespace {

using model::MetricBatch;
using model::MetricType;

constexpr MetricType kGauge = MetricType::kGauge;
constexpr MetricType kCounter = MetricType::kCounter;
constexpr double kMicroseconds = 1e-6;

struct ColumnMetric {
  std::string_view column;
  std::string_view metric;
  MetricType type;
  double scale;
  std::string_view help;
  std::string_view microseconds_column = {};  // Added to the value, in seconds.
  std::string_view newer_column = {};         // Its name in later versions.
};

constexpr ColumnMetric kDatabases[] = {
    {"pool_size", "pgbouncer_databases_pool_size", kGauge, 1,
     "Most server connections of one pool of the database"},
    {"reserve_pool", "pgbouncer_databases_reserve_pool", kGauge, 1,
     "Additional server connections a pool may open when clients wait", "",
     "reserve_pool_size"},  // Since 1.24.
    {"max_connections", "pgbouncer_databases_max_connections", kGauge, 1,
     "Most server connections of the database, 0 for no limit"},
    {"current_connections", "pgbouncer_databases_current_connections", kGauge, 1,
     "Server connections of the database now"},
    {"paused", "pgbouncer_databases_paused", kGauge, 1, "1 if the database is paused"},
    {"disabled", "pgbouncer_databases_disabled", kGauge, 1, "1 if the database is disabled"},
};

constexpr ColumnMetric kTotals[] = {
    {"query_count", "pgbouncer_stats_totals_queries_pooled_total", kCounter, 1,
     "SQL commands pooled"},
    {"query_time", "pgbouncer_stats_totals_queries_duration_seconds_total", kCounter, kMicroseconds,
     "Time spent with queries active on a server"},
    {"bytes_received", "pgbouncer_stats_totals_received_bytes_total", kCounter, 1,
     "Network traffic received from clients"},
    {"requests", "pgbouncer_stats_totals_queries_total", kCounter, 1,
     "SQL requests pooled, as PgBouncer before 1.8 counts them"},
    {"bytes_sent", "pgbouncer_stats_totals_sent_bytes_total", kCounter, 1,
     "Network traffic sent to clients"},
    {"wait_time", "pgbouncer_stats_totals_client_wait_seconds_total", kCounter, kMicroseconds,
     "Time clients spent waiting for a server connection"},
    {"xact_count", "pgbouncer_stats_totals_sql_transactions_pooled_total", kCounter, 1,
     "SQL transactions pooled"},
    {"xact_time", "pgbouncer_stats_totals_server_in_transaction_seconds_total", kCounter,
     kMicroseconds, "Time server connections spent in a transaction, active or idle"},
    {"client_parse_count", "pgbouncer_stats_totals_client_parses_total", kCounter, 1,
     "Prepared statements created by clients"},
    {"server_parse_count", "pgbouncer_stats_totals_server_parses_total", kCounter, 1,
     "Prepared statements created on servers"},
    {"bind_count", "pgbouncer_stats_totals_binds_total", kCounter, 1,
     "Prepared statements readied for execution"},
    {"server_assignment_count", "pgbouncer_stats_totals_server_assignments_total", kCounter, 1,
     "Times a server connection was given to a client"},
};

constexpr ColumnMetric kPools[] = {
    {"cl_active", "pgbouncer_pools_client_active_connections", kGauge, 1,
     "Client connections linked to a server connection, or idle with nothing asked"},
    {"cl_active_cancel_req", "pgbouncer_pools_client_active_cancel_connections", kGauge, 1,
     "Client connections that have forwarded a cancel request and wait for the answer"},
    {"cl_waiting", "pgbouncer_pools_client_waiting_connections", kGauge, 1,
     "Client connections that wait for a server connection"},
    {"cl_waiting_cancel_req", "pgbouncer_pools_client_waiting_cancel_connections", kGauge, 1,
     "Client connections whose cancel request has not been forwarded yet"},
    {"sv_active", "pgbouncer_pools_server_active_connections", kGauge, 1,
     "Server connections linked to a client"},
    {"sv_active_cancel", "pgbouncer_pools_server_active_cancel_connections", kGauge, 1,
     "Server connections that are forwarding a cancel request"},
    {"sv_being_canceled", "pgbouncer_pools_server_being_canceled_connections", kGauge, 1,
     "Server connections kept from idle until cancel requests against them are done"},
    {"sv_idle", "pgbouncer_pools_server_idle_connections", kGauge, 1,
     "Server connections ready for a client"},
    {"sv_used", "pgbouncer_pools_server_used_connections", kGauge, 1,
     "Server connections idle for longer than server_check_delay"},
    {"sv_tested", "pgbouncer_pools_server_testing_connections", kGauge, 1,
     "Server connections running the reset or check query"},
    {"sv_login", "pgbouncer_pools_server_login_connections", kGauge, 1,
     "Server connections that are logging in"},
    {"maxwait", "pgbouncer_pools_client_maxwait_seconds", kGauge, 1,
     "How long the first client in the queue has waited", "maxwait_us"},
};

constexpr std::string_view kDatabaseLabels[] = {"name",     "host",       "port",
                                                "database", "force_user", "pool_mode"};
constexpr std::string_view kTotalLabels[] = {"database"};
constexpr std::string_view kPoolLabels[] = {"database", "user"};

// Rows of (key, value): which key becomes which metric.
struct KeyMetric {
  std::string_view key;
  std::string_view metric;
  std::string_view help;
};

constexpr KeyMetric kLists[] = {
    {"databases", "pgbouncer_databases", "Databases"},
    {"users", "pgbouncer_users", "Users"},
    {"pools", "pgbouncer_pools", "Pools"},
    {"free_clients", "pgbouncer_free_clients", "Free client slots in memory"},
    {"used_clients", "pgbouncer_used_clients", "Used client slots"},
    {"login_clients", "pgbouncer_login_clients", "Clients that are logging in"},
    {"free_servers", "pgbouncer_free_servers", "Free server slots in memory"},
    {"used_servers", "pgbouncer_used_servers", "Used server slots"},
    {"dns_names", "pgbouncer_cached_dns_names", "DNS names in the cache"},
    {"dns_zones", "pgbouncer_cached_dns_zones", "DNS zones in the cache"},
    {"dns_queries", "pgbouncer_in_flight_dns_queries", "DNS queries in flight"},
};

constexpr KeyMetric kConfig[] = {
    {"max_client_conn", "pgbouncer_config_max_client_connections",
     "Most client connections allowed"},
    {"max_user_connections", "pgbouncer_config_max_user_connections",
     "Most server connections per user, 0 for no limit"},
};

constexpr std::string_view kTotalsPrefix = "pgbouncer_stats_totals_";
constexpr std::string_view kOldTotalsPrefix = "pgbouncer_stats_";

std::string OldNameOfTotal(std::string_view metric) {
  return std::string(kOldTotalsPrefix).append(metric.substr(kTotalsPrefix.size()));
}

// Turns each row into one value per known column, under the given labels.
class RowWriter {
 public:
  // `rename` makes another name of each metric's, if it is not null.
  RowWriter(std::span<const ColumnMetric> columns, std::span<const std::string_view> labels,
            MetricBatch& batch, std::string (*rename)(std::string_view) = nullptr)
      : columns_(columns),
        labels_(labels),
        batch_(batch),
        rename_(rename),
        families_(columns.size()) {}

  void Write(const Row& row) {
    if (++rows_ > kMaxExportedRows) return;
    std::array<std::string_view, 8> values;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      values[i] = row.Find(labels_[i]).value_or(std::string_view());
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const ColumnMetric& column = columns_[i];
      auto value = row.Number(column.column);
      if (!value.has_value() && !column.newer_column.empty()) {
        value = row.Number(column.newer_column);
      }
      if (!value.has_value()) continue;
      if (!column.microseconds_column.empty()) {
        *value += row.Number(column.microseconds_column).value_or(0) * kMicroseconds;
      }
      batch_.Add(Family(i), std::span(values.data(), labels_.size()), *value * column.scale);
    }
  }

  std::int64_t left_out() const { return rows_ > kMaxExportedRows ? rows_ - kMaxExportedRows : 0; }

 private:
  MetricBatch::FamilyId Family(std::size_t index) {
    if (!families_[index].has_value()) {
      const ColumnMetric& column = columns_[index];
      const std::string name =
          rename_ == nullptr ? std::string(column.metric) : rename_(column.metric);
      families_[index] = batch_.DeclareFamily(name, column.help, column.type, labels_);
    }
    return *families_[index];
  }

  std::span<const ColumnMetric> columns_;
  std::span<const std::string_view> labels_;
  MetricBatch& batch_;
  std::string (*rename_)(std::string_view);
  std::vector<std::optional<MetricBatch::FamilyId>> families_;  // Of columns_; declared when met.
  std::int64_t rows_ = 0;
};

Result<std::int64_t> CollectRows(std::string_view show, std::span<RowWriter> writers,
                                 Console& console, const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(std::int64_t unread, console.Show(show, deadline, [&](const Row& row) {
    for (RowWriter& writer : writers) writer.Write(row);
  }));
  return unread + writers.front().left_out();
}

Result<std::int64_t> CollectPairs(std::span<const KeyMetric> keys, std::string_view key_column,
                                  std::string_view value_column, std::string_view show,
                                  Console& console, const Deadline& deadline, MetricBatch& batch) {
  return console.Show(show, deadline, [&](const Row& row) {
    auto key = row.Find(key_column);
    auto value = row.Number(value_column);
    if (!key.has_value() || !value.has_value()) return;
    for (const KeyMetric& known : keys) {
      if (known.key == *key) batch.AddGauge(known.metric, known.help, *value);
    }
  });
}

Result<std::int64_t> CollectPools(const Subject& subject, Names, Console& console,
                                  const Deadline& deadline, MetricBatch& batch) {
  RowWriter writer(kPools, kPoolLabels, batch);
  return CollectRows(subject.show, {&writer, 1}, console, deadline);
}

Result<std::int64_t> CollectDatabases(const Subject& subject, Names, Console& console,
                                      const Deadline& deadline, MetricBatch& batch) {
  RowWriter writer(kDatabases, kDatabaseLabels, batch);
  return CollectRows(subject.show, {&writer, 1}, console, deadline);
}

Result<std::int64_t> CollectTotals(const Subject& subject, Names names, Console& console,
                                   const Deadline& deadline, MetricBatch& batch) {
  std::vector<RowWriter> writers;
  if (names != Names::k010) writers.emplace_back(kTotals, kTotalLabels, batch);
  if (names != Names::k012) writers.emplace_back(kTotals, kTotalLabels, batch, OldNameOfTotal);
  return CollectRows(subject.show, writers, console, deadline);
}

Result<std::int64_t> CollectLists(const Subject& subject, Names, Console& console,
                                  const Deadline& deadline, MetricBatch& batch) {
  return CollectPairs(kLists, "list", "items", subject.show, console, deadline, batch);
}

Result<std::int64_t> CollectConfig(const Subject& subject, Names, Console& console,
                                   const Deadline& deadline, MetricBatch& batch) {
  return CollectPairs(kConfig, "key", "value", subject.show, console, deadline, batch);
}

Result<std::int64_t> CollectVersion(const Subject& subject, Names, Console& console,
                                    const Deadline& deadline, MetricBatch& batch) {
  auto family = batch.DeclareFamily("pgbouncer_version_info", "PgBouncer's version",
                                    MetricType::kGauge, {"version"});
  return console.Show(subject.show, deadline, [&](const Row& row) {
    batch.Add(family, {row.Find("version").value_or(std::string_view())}, 1);
  });
}

// Counts the clients by who they are, so that ten thousand of them are a few series.
Result<std::int64_t> CollectClients(const Subject& subject, Names, Console& console,
                                    const Deadline& deadline, MetricBatch& batch) {
  using Group = std::array<std::string, 4>;
  static constexpr std::string_view kLabels[] = {"database", "user", "application_name", "state"};
  std::map<Group, std::int64_t> clients;
  std::int64_t left_out = 0;
  auto count = [&](const Row& row) {
    Group group;
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i] = row.Find(kLabels[i]).value_or(std::string_view());
    }
    auto found = clients.find(group);
    if (found != clients.end()) {
      ++found->second;
    } else if (clients.size() < kMaxClientGroups) {
      clients.emplace(std::move(group), 1);
    } else {
      ++left_out;
    }
  };
  TOCSIN_ASSIGN_OR_RETURN(std::int64_t unread, console.Show(subject.show, deadline, count));
  auto family =
      batch.DeclareFamily("pgbouncer_client_connections", "Client connections by who they are",
                          MetricType::kGauge, std::span(kLabels));
  for (const auto& [group, number] : clients) {
    batch.Add(family, {group[0], group[1], group[2], group[3]}, static_cast<double>(number));
  }
  return left_out + unread;
}

constexpr Subject kSubjects[] = {
    {"pools", "POOLS", CollectPools},         {"databases", "DATABASES", CollectDatabases},
    {"stats", "STATS_TOTALS", CollectTotals}, {"lists", "LISTS", CollectLists},
    {"config", "CONFIG", CollectConfig},      {"version", "VERSION", CollectVersion},
    {"clients", "CLIENTS", CollectClients},
};

}  // namespace

std::span<const Subject> Subjects() { return kSubjects; }

}  // namespace tocsin::collectors::pgbouncer
