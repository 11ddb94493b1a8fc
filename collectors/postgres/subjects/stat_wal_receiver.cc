#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr ValueColumn Counter(std::string_view metric, std::string_view sql, std::string_view help,
                              std::string_view needs = {}) {
  return {metric, model::MetricType::kCounter, sql, help, needs};
}

}  // namespace

// What a standby receives; a primary has no row. Positions as postgres_exporter shows
// them: modulo 2^52, exact in a double.
Result<> CollectStatWalReceiver(SubjectRun& run) {
  static const Select select{
      .labels = {{"upstream_host",
                  "coalesce(trim(both '''' from substring(conninfo from 'host=([^ ]*)')), '')"},
                 {"slot_name", "coalesce(slot_name, '')"},
                 {"status", "coalesce(status, '')"}},
      .values = {Counter("pg_stat_wal_receiver_receive_start_lsn",
                         "(receive_start_lsn - '0/0') % (2^52)::bigint",
                         "First write-ahead log location used when WAL receiver is started"),
                 {.metric = "pg_stat_wal_receiver_receive_start_tli",
                  .sql = "receive_start_tli",
                  .help = "First timeline number used when WAL receiver is started"},
                 Counter("pg_stat_wal_receiver_flushed_lsn",
                         "(flushed_lsn - '0/0') % (2^52)::bigint",
                         "Last write-ahead log location already received and flushed to disk",
                         "pg_stat_wal_receiver.flushed_lsn"),
                 {.metric = "pg_stat_wal_receiver_received_tli",
                  .sql = "received_tli",
                  .help = "Timeline number of the last location received and flushed to disk"},
                 Counter("pg_stat_wal_receiver_last_msg_send_time",
                         "extract(epoch FROM last_msg_send_time)",
                         "Send time of the last message received from the sender"),
                 Counter("pg_stat_wal_receiver_last_msg_receipt_time",
                         "extract(epoch FROM last_msg_receipt_time)",
                         "Receipt time of the last message received from the sender"),
                 Counter("pg_stat_wal_receiver_latest_end_lsn",
                         "(latest_end_lsn - '0/0') % (2^52)::bigint",
                         "Last write-ahead log location reported to the sender"),
                 Counter("pg_stat_wal_receiver_latest_end_time",
                         "extract(epoch FROM latest_end_time)",
                         "Time of the last location reported to the sender"),
                 {.metric = "pg_stat_wal_receiver_upstream_node",
                  .sql = "substring(slot_name from 'repmgr_slot_([0-9]*)')",
                  .help = "Node of the upstream server, where repmgr named the slot"}},
      .from = "pg_stat_wal_receiver"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
