#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr ValueColumn Counter(std::string_view metric, std::string_view sql, std::string_view help,
                              std::string_view needs) {
  return {metric, model::MetricType::kCounter, sql, help, needs};
}

}  // namespace

// Since PostgreSQL 16. What a kind of backend cannot do is NULL there, and absent here.
Result<> CollectStatIo(SubjectRun& run) {
  static const Select select{
      .labels = {{"backend_type", "backend_type"}, {"object", "object"}, {"context", "context"}},
      .values = {Counter("tocsin_postgres_io_reads_total", "reads", "Read operations",
                         "pg_stat_io.reads"),
                 Counter("tocsin_postgres_io_read_bytes_total", "read_bytes", "Bytes read",
                         "pg_stat_io.read_bytes"),
                 Counter("tocsin_postgres_io_read_bytes_total", "reads * op_bytes", "Bytes read",
                         "pg_stat_io.op_bytes"),
                 Counter("tocsin_postgres_io_read_seconds_total", "read_time / 1000.0",
                         "Time waited for reads, if track_io_timing is on", "pg_stat_io.read_time"),
                 Counter("tocsin_postgres_io_writes_total", "writes", "Write operations",
                         "pg_stat_io.writes"),
                 Counter("tocsin_postgres_io_write_bytes_total", "write_bytes", "Bytes written",
                         "pg_stat_io.write_bytes"),
                 Counter("tocsin_postgres_io_write_bytes_total", "writes * op_bytes",
                         "Bytes written", "pg_stat_io.op_bytes"),
                 Counter("tocsin_postgres_io_write_seconds_total", "write_time / 1000.0",
                         "Time waited for writes, if track_io_timing is on",
                         "pg_stat_io.write_time"),
                 Counter("tocsin_postgres_io_extends_total", "extends",
                         "Operations that made a relation longer", "pg_stat_io.extends"),
                 Counter("tocsin_postgres_io_hits_total", "hits",
                         "Times a block was found in shared buffers", "pg_stat_io.hits"),
                 Counter("tocsin_postgres_io_evictions_total", "evictions",
                         "Times a block was written out to free its buffer",
                         "pg_stat_io.evictions"),
                 Counter("tocsin_postgres_io_fsyncs_total", "fsyncs", "Calls of fsync",
                         "pg_stat_io.fsyncs")},
      .from = "pg_stat_io"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
