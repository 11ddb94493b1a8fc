#include "collectors/kinds.h"

#include <array>

#include "collectors/host/host.h"
#include "collectors/http/http.h"
#include "collectors/http/tcp.h"
#include "collectors/pgbouncer/pgbouncer.h"
#include "collectors/postgres/postgres.h"
#include "collectors/prometheus/prometheus.h"
#include "collectors/redis/redis.h"

namespace tocsin::collectors {
namespace {

using std::chrono::seconds;

constexpr std::array kKinds = {
    CollectorKind{"postgres", "pg_up", "Whether the last collection from PostgreSQL succeeded.",
                  seconds(5), postgres::ParsePostgresTarget, &postgres::kSetup,
                  "postgres_exporter"},
    CollectorKind{"pgbouncer", "pgbouncer_up",
                  "Whether the last collection from PgBouncer's console succeeded.", seconds(5),
                  pgbouncer::ParsePgbouncerTarget, &pgbouncer::kSetup, "pgbouncer_exporter"},
    CollectorKind{"redis", "redis_up", "Whether the last collection from Redis succeeded.",
                  seconds(5), redis::ParseRedisTarget, &redis::kSetup, "redis_exporter"},
    CollectorKind{"http", "", "", seconds(10), http::ParseHttpTarget},
    CollectorKind{"tcp", "", "", seconds(5), http::ParseTcpTarget},
    CollectorKind{"prometheus", "", "", seconds(5), prometheus::ParsePrometheusTarget},
    CollectorKind{"host", "", "", seconds(5), host::ParseHostTarget, nullptr, "node_exporter"},
};

}  // namespace

std::span<const CollectorKind> CollectorKinds() { return kKinds; }

const CollectorKind* FindCollectorKind(std::string_view name) {
  for (const CollectorKind& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace tocsin::collectors
