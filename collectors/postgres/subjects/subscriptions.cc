#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Logical replication on the side that receives. A subscription that is enabled and has
// no worker is one that failed. Those of one name in several databases are added up.
Result<> CollectSubscriptions(SubjectRun& run) {
  static const Select workers{
      .labels = {{"subname", "subname"}},
      .values = {{.metric = "tocsin_postgres_subscription_workers",
                  .sql = "count(pid)",
                  .help = "Processes that apply or copy for the subscription; 0: it does not run"},
                 {.metric = "tocsin_postgres_subscription_last_message_age_seconds",
                  .sql = "min(extract(epoch FROM now() - last_msg_receipt_time))",
                  .help = "How long ago the last message of the publisher came"},
                 {.metric = "tocsin_postgres_subscription_received_lsn_bytes",
                  .sql = "max(pg_wal_lsn_diff(received_lsn, '0/0'))",
                  .help = "The publisher's position in its log up to which all was received"}},
      .from = "pg_stat_subscription GROUP BY subname"};
  TOCSIN_RETURN_IF_ERROR(CollectSelect(run, workers));
  static const Select errors{
      .labels = {{"subname", "subname"}},
      .values = {{.metric = "tocsin_postgres_subscription_apply_errors_total",
                  .type = model::MetricType::kCounter,
                  .sql = "sum(apply_error_count)",
                  .help = "Errors while changes were applied",
                  .needs = "pg_stat_subscription_stats.apply_error_count"},
                 {.metric = "tocsin_postgres_subscription_sync_errors_total",
                  .type = model::MetricType::kCounter,
                  .sql = "sum(sync_error_count)",
                  .help = "Errors while tables were copied",
                  .needs = "pg_stat_subscription_stats.sync_error_count"}},
      .from = "pg_stat_subscription_stats GROUP BY subname"};
  return CollectSelect(run, errors);
}

}  // namespace tocsin::collectors::postgres
