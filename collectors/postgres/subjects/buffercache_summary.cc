#include <fmt/format.h>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// The extension's own function: one that somebody else gave the name would run with the
// rights of our role.
Result<> CollectBuffercacheSummary(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows schema,
      run.Query("SELECT quote_ident(n.nspname) FROM pg_proc p JOIN pg_namespace n"
                " ON n.oid = p.pronamespace WHERE p.proname = 'pg_buffercache_summary'"
                " AND p.oid IN (SELECT d.objid FROM pg_depend d"
                "  JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_proc'::regclass"
                "  AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'"
                "  AND e.extname = 'pg_buffercache')"));
  if (schema.size() == 0) {
    run.out.Note(fmt::format(
        "buffercache_summary: needs PostgreSQL 16 or later, and CREATE EXTENSION pg_buffercache "
        "in \"{}\"",
        run.server.database));
    return {};
  }
  const std::string from = std::string(schema.Text(0, 0)) + ".pg_buffercache_summary()";
  const Select select{.labels = {},
                      .values = {{.metric = "pg_buffercache_summary_buffers_used",
                                  .sql = "buffers_used",
                                  .help = "Number of used shared buffers"},
                                 {.metric = "pg_buffercache_summary_buffers_unused",
                                  .sql = "buffers_unused",
                                  .help = "Number of unused shared buffers"},
                                 {.metric = "pg_buffercache_summary_buffers_dirty",
                                  .sql = "buffers_dirty",
                                  .help = "Number of dirty shared buffers"},
                                 {.metric = "pg_buffercache_summary_buffers_pinned",
                                  .sql = "buffers_pinned",
                                  .help = "Number of pinned shared buffers"},
                                 {.metric = "pg_buffercache_summary_usagecount_avg",
                                  .sql = "usagecount_avg",
                                  .help = "Average usage count of used shared buffers"}},
                      .from = from};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
