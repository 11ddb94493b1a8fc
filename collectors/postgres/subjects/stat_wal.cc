#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
// Since PostgreSQL 14. Version 18 counts writes and syncs of the log in pg_stat_io.
Result<> CollectStatWal(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values = {CounterColumn("tocsin_postgres_wal_records_total", "wal_records",
                               "Records written to the write-ahead log", "pg_stat_wal.wal_records"),
                 CounterColumn("tocsin_postgres_wal_full_page_images_total", "wal_fpi",
                               "Full page images written to the write-ahead log",
                               "pg_stat_wal.wal_fpi"),
                 CounterColumn("tocsin_postgres_wal_bytes_total", "wal_bytes",
                               "Bytes written to the write-ahead log", "pg_stat_wal.wal_bytes"),
                 CounterColumn("tocsin_postgres_wal_buffers_full_total", "wal_buffers_full",
                               "Times the log was written because its buffers were full",
                               "pg_stat_wal.wal_buffers_full"),
                 CounterColumn("tocsin_postgres_wal_writes_total", "wal_write",
                               "Writes of the log to disk", "pg_stat_wal.wal_write"),
                 CounterColumn("tocsin_postgres_wal_writes_total",
                               "(SELECT sum(writes) FROM pg_stat_io WHERE object = 'wal')",
                               "Writes of the log to disk", "pg_stat_io.write_bytes"),
                 CounterColumn("tocsin_postgres_wal_syncs_total", "wal_sync",
                               "Syncs of the log to disk", "pg_stat_wal.wal_sync"),
                 CounterColumn("tocsin_postgres_wal_syncs_total",
                               "(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')",
                               "Syncs of the log to disk", "pg_stat_io.write_bytes")},
      .from = "pg_stat_wal"};
  return run.server.Has("pg_stat_wal") ? CollectSelect(run, select) : Result<>();
}

}  // namespace tocsin::collectors::postgres
