#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Popular rules ask for compressed connections; PostgreSQL 14 took the possibility away.
Result<> CollectStatSsl(SubjectRun& run) {
  static const Select select{
      .labels = {},
      .values = {{.metric = "pg_stat_ssl_compression",
                  .sql = "count(*) FILTER (WHERE ssl AND compression)",
                  .help = "Connections whose TLS compresses",
                  .needs = "pg_stat_ssl.compression"},
                 {.metric = "pg_stat_ssl_compression",
                  .sql = "0",
                  .help = "Connections whose TLS compresses (none can since PostgreSQL 14)"},
                 {.metric = "tocsin_postgres_tls_connections",
                  .sql = "count(*) FILTER (WHERE ssl)",
                  .help = "Connections with TLS"}},
      .from = "pg_stat_ssl"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
