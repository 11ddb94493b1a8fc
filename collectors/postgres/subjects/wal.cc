#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectWal(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values = {{.metric = "pg_wal_segments", .sql = "count(*)", .help = "Number of WAL segments"},
                 {.metric = "pg_wal_size_bytes",
                  .sql = "coalesce(sum(size), 0)",
                  .help = "Total size of WAL segments"}},
      .from = "pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
