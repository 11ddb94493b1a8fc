#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectStatArchiver(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values = {{.metric = "pg_stat_archiver_archived_count",
                  .type = model::MetricType::kCounter,
                  .sql = "archived_count",
                  .help = "Number of WAL files that have been successfully archived"},
                 {.metric = "pg_stat_archiver_failed_count",
                  .type = model::MetricType::kCounter,
                  .sql = "failed_count",
                  .help = "Number of failed attempts for archiving WAL files"},
                 {.metric = "pg_stat_archiver_last_archive_age",
                  .sql = "extract(epoch FROM now() - last_archived_time)",
                  .help = "Time in seconds since last WAL segment was successfully archived",
                  .if_null = IfNull::kNaN}},
      .from = "pg_stat_archiver"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
