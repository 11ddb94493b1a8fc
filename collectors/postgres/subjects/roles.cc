#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

Result<> CollectRoles(SubjectRun& run) {
  if (run.options.names == Names::k011) return {};  // It came with 0.16.
  static const Select select{
      .labels = {{"rolname", "rolname"}},
      .values = {{.metric = "pg_roles_connection_limit",
                  .sql = "rolconnlimit",
                  .help = "Connections the role may have at once, -1 for no limit"}},
      .from = "(SELECT rolname, rolconnlimit FROM pg_roles ORDER BY oid LIMIT 2000) AS roles"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
