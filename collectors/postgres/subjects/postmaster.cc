#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectPostmaster(SubjectRun& run) {
  const Select select{
      .labels = {},
      .values = {{.metric = "pg_postmaster_start_time_seconds",
                  .sql = run.options.names == Names::k011 ? "floor(extract(epoch FROM start))"
                                                          : "extract(epoch FROM start)",
                  .help = "Time at which the postmaster started, in seconds since 1970"}},
      .from = "pg_postmaster_start_time() AS start"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
