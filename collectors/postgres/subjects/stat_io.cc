#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
// Since PostgreSQL 16. What a kind of backend cannot do is NULL there, and absent here.
Result<> CollectStatIo(SubjectRun& run) {
  static const Select select{
      .labels = {{"backend_type", "backend_type"}, {"object", "object"}, {"context", "context"}},
      .values = {CounterColumn("tocsin_postgres_io_reads_total", "reads", "Read operations",
                               "pg_stat_io.reads"),
                 CounterColumn("tocsin_postgres_io_read_bytes_total", "read_bytes", "Bytes read",
                               "pg_stat_io.read_bytes"),
                 CounterColumn("tocsin_postgres_io_read_bytes_total", "reads * op_bytes",
                               "Bytes read", "pg_stat_io.op_bytes"),
                 CounterColumn("tocsin_postgres_io_read_seconds_total", "read_time / 1000.0",
                               "Time waited for reads, if track_io_timing is on",
                               "pg_stat_io.read_time"),
                 CounterColumn("tocsin_postgres_io_writes_total", "writes", "Write operations",
                               "pg_stat_io.writes"),
                 CounterColumn("tocsin_postgres_io_write_bytes_total", "write_bytes",
                               "Bytes written", "pg_stat_io.write_bytes"),
                 CounterColumn("tocsin_postgres_io_write_bytes_total", "writes * op_bytes",
                               "Bytes written", "pg_stat_io.op_bytes"),
                 CounterColumn("tocsin_postgres_io_write_seconds_total", "write_time / 1000.0",
                               "Time waited for writes, if track_io_timing is on",
                               "pg_stat_io.write_time"),
                 CounterColumn("tocsin_postgres_io_extends_total", "extends",
                               "Operations that made a relation longer", "pg_stat_io.extends"),
                 CounterColumn("tocsin_postgres_io_hits_total", "hits",
                               "Times a block was found in shared buffers", "pg_stat_io.hits"),
                 CounterColumn("tocsin_postgres_io_evictions_total", "evictions",
                               "Times a block was written out to free its buffer",
                               "pg_stat_io.evictions"),
                 CounterColumn("tocsin_postgres_io_fsyncs_total", "fsyncs", "Calls of fsync",
                               "pg_stat_io.fsyncs")},
      .from = "pg_stat_io"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
