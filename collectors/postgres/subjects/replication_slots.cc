#include <string>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr std::string_view kFrom =
    "pg_replication_slots s, LATERAL (SELECT CASE WHEN pg_is_in_recovery()"
    " THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn) current";

struct SlotMetric {
  std::string_view suffix;
  std::string_view sql;
  std::string_view help;
  std::string_view needs = {};
};
constexpr SlotMetric kSlotMetrics[] = {
    {"slot_current_wal_lsn", "pg_wal_lsn_diff(current.lsn, '0/0')",
     "current wal lsn value of the server, in bytes"},
    {"slot_confirmed_flush_lsn",
     "CASE WHEN s.active THEN coalesce(pg_wal_lsn_diff(s.confirmed_flush_lsn, '0/0'), 0) END",
     "last lsn confirmed flushed to the replication slot, in bytes"},
    {"slot_is_active", "s.active", "whether the replication slot is active or not"},
    {"safe_wal_size_bytes", "s.safe_wal_size",
     "number of bytes that can be written to WAL such that this slot is not in danger of getting "
     "in state lost",
     "pg_replication_slots.safe_wal_size"},
};

// 0.20 says pg_replication_slots_…, the versions before it pg_replication_slot_….
Result<> CollectSlots(SubjectRun& run, const std::string& prefix) {
  std::vector<std::string> names;
  names.reserve(std::size(kSlotMetrics));
  Select select{.labels = {{"slot_name", "s.slot_name"}, {"slot_type", "s.slot_type"}},
                .values = {},
                .from = kFrom};
  for (const SlotMetric& metric : kSlotMetrics) {
    names.push_back(prefix + std::string(metric.suffix));
    select.values.push_back(
        {names.back(), MetricType::kGauge, metric.sql, metric.help, metric.needs});
  }
  TOCSIN_RETURN_IF_ERROR(CollectSelect(run, select));

  const std::string status = prefix + "wal_status";
  const Select statuses{
      .labels = {{"slot_name", "s.slot_name"},
                 {"slot_type", "s.slot_type"},
                 {"wal_status", "s.wal_status"}},
      .values = {{status, MetricType::kGauge, "1", "availability of WAL files claimed by this slot",
                  "pg_replication_slots.wal_status"}},
      .from = "pg_replication_slots s WHERE s.wal_status IS NOT NULL"};
  return run.server.Has("pg_replication_slots.wal_status") ? CollectSelect(run, statuses)
                                                           : Result<>();
}

}  // namespace

Result<> CollectReplicationSlots(SubjectRun& run) {
  const bool is_old = run.IsBefore020();
  const Select by_database{.labels = {{"slot_name", "s.slot_name"}, {"database", "s.database"}},
                           .values = {{.metric = "pg_replication_slots_active",
                                       .sql = "s.active",
                                       .help = "Flag indicating if the slot is active"},
                                      {.metric = "pg_replication_slots_pg_wal_lsn_diff",
                                       .sql = "pg_wal_lsn_diff(current.lsn, s.restart_lsn)",
                                       .help = "Replication lag in bytes",
                                       .if_null = is_old ? IfNull::kNaN : IfNull::kSkip}},
                           .from = kFrom};
  TOCSIN_RETURN_IF_ERROR(CollectSelect(run, by_database));
  if (run.HasNames(Names::k020)) TOCSIN_RETURN_IF_ERROR(CollectSlots(run, "pg_replication_slots_"));
  if (run.HasNames(Names::k015)) TOCSIN_RETURN_IF_ERROR(CollectSlots(run, "pg_replication_slot_"));
  return {};
}

}  // namespace tocsin::collectors::postgres
