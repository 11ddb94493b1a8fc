#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

constexpr ValueColumn Counter(std::string_view metric, std::string_view sql, std::string_view help,
                              std::string_view needs, IfNull if_null = IfNull::kSkip) {
  return {metric, MetricType::kCounter, sql, help, needs, if_null};
}

constexpr std::string_view kBackendWrites =
    "(SELECT sum(coalesce(writes, 0) + coalesce(extends, 0)) FROM pg_stat_io"
    " WHERE object = 'relation' AND backend_type NOT IN ('checkpointer', 'background writer'))";
constexpr std::string_view kBackendFsyncs =
    "(SELECT sum(coalesce(fsyncs, 0)) FROM pg_stat_io"
    " WHERE object = 'relation' AND backend_type NOT IN ('checkpointer', 'background writer'))";

// As they were called before 0.11, and still are in most dashboards.
Select WithoutTotal(Select select) {
  for (ValueColumn& column : select.values) {
    column.metric.remove_suffix(std::string_view("_total").size());
  }
  return select;
}

}  // namespace

// PostgreSQL 17 moved the checkpointer's numbers to a view of their own and the
// backends' to pg_stat_io; the old names keep being fed from there.
Result<> CollectStatBgwriter(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values =
          {Counter("pg_stat_bgwriter_checkpoints_timed_total", "checkpoints_timed",
                   "Number of scheduled checkpoints that have been performed",
                   "pg_stat_bgwriter.checkpoints_timed"),
           Counter("pg_stat_bgwriter_checkpoints_timed_total",
                   "(SELECT num_timed FROM pg_stat_checkpointer)",
                   "Number of scheduled checkpoints (from pg_stat_checkpointer)",
                   "pg_stat_checkpointer.num_timed"),
           Counter("pg_stat_bgwriter_checkpoints_req_total", "checkpoints_req",
                   "Number of requested checkpoints that have been performed",
                   "pg_stat_bgwriter.checkpoints_req"),
           Counter("pg_stat_bgwriter_checkpoints_req_total",
                   "(SELECT num_requested FROM pg_stat_checkpointer)",
                   "Number of requested checkpoints (from pg_stat_checkpointer)",
                   "pg_stat_checkpointer.num_requested"),
           Counter("pg_stat_bgwriter_checkpoint_write_time_total", "checkpoint_write_time",
                   "Time spent writing files to disk during checkpoints, in milliseconds",
                   "pg_stat_bgwriter.checkpoint_write_time"),
           Counter("pg_stat_bgwriter_checkpoint_write_time_total",
                   "(SELECT write_time FROM pg_stat_checkpointer)",
                   "Time spent writing files to disk during checkpoints, in milliseconds (from "
                   "pg_stat_checkpointer)",
                   "pg_stat_checkpointer.write_time"),
           Counter("pg_stat_bgwriter_checkpoint_sync_time_total", "checkpoint_sync_time",
                   "Time spent synchronizing files to disk during checkpoints, in milliseconds",
                   "pg_stat_bgwriter.checkpoint_sync_time"),
           Counter("pg_stat_bgwriter_checkpoint_sync_time_total",
                   "(SELECT sync_time FROM pg_stat_checkpointer)",
                   "Time spent synchronizing files to disk during checkpoints, in milliseconds "
                   "(from pg_stat_checkpointer)",
                   "pg_stat_checkpointer.sync_time"),
           Counter("pg_stat_bgwriter_buffers_checkpoint_total", "buffers_checkpoint",
                   "Number of buffers written during checkpoints",
                   "pg_stat_bgwriter.buffers_checkpoint"),
           Counter("pg_stat_bgwriter_buffers_checkpoint_total",
                   "(SELECT buffers_written FROM pg_stat_checkpointer)",
                   "Number of buffers written during checkpoints (from pg_stat_checkpointer)",
                   "pg_stat_checkpointer.buffers_written"),
           Counter("pg_stat_bgwriter_buffers_clean_total", "buffers_clean",
                   "Number of buffers written by the background writer",
                   "pg_stat_bgwriter.buffers_clean"),
           Counter("pg_stat_bgwriter_maxwritten_clean_total", "maxwritten_clean",
                   "Number of times the background writer stopped because it had written too many "
                   "buffers",
                   "pg_stat_bgwriter.maxwritten_clean"),
           Counter("pg_stat_bgwriter_buffers_backend_total", "buffers_backend",
                   "Number of buffers written directly by a backend",
                   "pg_stat_bgwriter.buffers_backend"),
           Counter("pg_stat_bgwriter_buffers_backend_total", kBackendWrites,
                   "Number of buffers written directly by a backend (from pg_stat_io)",
                   "pg_stat_io.writes"),
           Counter("pg_stat_bgwriter_buffers_backend_fsync_total", "buffers_backend_fsync",
                   "Number of times a backend had to execute its own fsync call",
                   "pg_stat_bgwriter.buffers_backend_fsync"),
           Counter("pg_stat_bgwriter_buffers_backend_fsync_total", kBackendFsyncs,
                   "Number of times a backend had to execute its own fsync call (from pg_stat_io)",
                   "pg_stat_io.fsyncs"),
           Counter("pg_stat_bgwriter_buffers_alloc_total", "buffers_alloc",
                   "Number of buffers allocated", "pg_stat_bgwriter.buffers_alloc"),
           Counter("pg_stat_bgwriter_stats_reset_total", "floor(extract(epoch FROM stats_reset))",
                   "Time at which these statistics were last reset", "pg_stat_bgwriter.stats_reset",
                   IfNull::kZero)},
      .from = "pg_stat_bgwriter"};
  TOCSIN_RETURN_IF_ERROR(CollectSelect(run, select));
  return run.options.names == Names::kAll ? CollectSelect(run, WithoutTotal(select)) : Result<>();
}

Result<> CollectStatCheckpointer(SubjectRun& run) {
  if (!run.server.Has("pg_stat_checkpointer")) return {};  // Before PostgreSQL 17.
  static const Select select{
      .labels = {},
      .values = {Counter("pg_stat_checkpointer_num_timed_total", "num_timed",
                         "Number of scheduled checkpoints due to timeout", {}),
                 Counter("pg_stat_checkpointer_num_requested_total", "num_requested",
                         "Number of requested checkpoints", {}),
                 Counter("pg_stat_checkpointer_restartpoints_timed_total", "restartpoints_timed",
                         "Number of scheduled restartpoints due to timeout", {}),
                 Counter("pg_stat_checkpointer_restartpoints_req_total", "restartpoints_req",
                         "Number of requested restartpoints", {}),
                 Counter("pg_stat_checkpointer_restartpoints_done_total", "restartpoints_done",
                         "Number of restartpoints that have been performed", {}),
                 Counter("pg_stat_checkpointer_write_time_total", "write_time",
                         "Time spent writing files during checkpoints, in milliseconds", {}),
                 Counter("pg_stat_checkpointer_sync_time_total", "sync_time",
                         "Time spent synchronizing files during checkpoints, in milliseconds", {}),
                 Counter("pg_stat_checkpointer_buffers_written_total", "buffers_written",
                         "Number of buffers written during checkpoints", {}),
                 Counter("pg_stat_checkpointer_stats_reset_total",
                         "floor(extract(epoch FROM stats_reset))",
                         "Time at which these statistics were last reset", {}, IfNull::kZero)},
      .from = "pg_stat_checkpointer"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
