// Connections held: in the application's pool, in PgBouncer, in PostgreSQL.

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/demo/conditions.h"
#include "tests/demo/web.h"
#include "tests/support/postgres_server.h"

namespace tocsin::demo {
namespace {

using testing::PostgresSession;

int Share(double percent, int of) { return static_cast<int>(std::lround(percent / 100 * of)); }

class ApplicationPool : public Condition {
 public:
  ApplicationPool(Surroundings surroundings, double percent)
      : port_(surroundings.servers.application_port()), percent_(percent) {}

  Result<> Begin() override { return Leak(Share(percent_, kPoolSize + kPoolOverflow)); }
  Result<> End() override { return Leak(0); }

  std::optional<double> Measure() override {
    const auto answer = WebGet(port_, "/health");
    if (!answer.ok()) return std::nullopt;
    const auto health = nlohmann::json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
    if (!health.is_object() || !health.contains("pool")) return std::nullopt;
    const auto& pool = health["pool"];
    return 100.0 * pool.value("checked_out", 0) /
           (pool.value("size", 0) + pool.value("max_overflow", 0));
  }

 private:
  Result<> Leak(int connections) {
    const auto answer = WebPost(port_, "/debug/leak?connections=" + std::to_string(connections));
    if (!answer.ok()) return answer.error();
    if (answer->status != 200) return Error{ErrorCode::kUnavailable, answer->body};
    return {};
  }

  const int port_;
  const double percent_;
};

class PgBouncerPool : public Condition {
 public:
  PgBouncerPool(Surroundings surroundings, double percent)
      : servers_(surroundings.servers), percent_(percent) {}

  Result<> Begin() override {
    for (int i = Share(percent_, kPgBouncerPoolSize); i > 0; --i) {
      auto session = PostgresSession::Connect(servers_.BookingDsn());
      if (!session.ok()) return session.error();
      const auto begun = (*session)->Execute("BEGIN; SELECT count(*) FROM barbers");
      if (!begun.ok()) return begun.error();
      held_.push_back(std::move(session).value());
    }
    return {};
  }

  Result<> End() override {
    for (auto& session : held_) (void)session->Execute("ROLLBACK").ok();
    held_.clear();
    return {};
  }

  // The other end of PgBouncer's connections, as PostgreSQL sees them.
  std::optional<double> Measure() override {
    const auto rows = servers_.postgres().Execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'booking' AND state <> 'idle'");
    if (!rows.ok()) return std::nullopt;
    return 100.0 * std::stod(rows->at(0).at(0)) / kPgBouncerPoolSize;
  }

 private:
  Servers& servers_;
  const double percent_;
  std::vector<std::unique_ptr<PostgresSession>> held_;
};

class PostgresConnections : public Condition {
 public:
  PostgresConnections(Surroundings surroundings, double percent)
      : servers_(surroundings.servers), percent_(percent) {}

  Result<> Begin() override { return Fill(); }
  // PgBouncer's own connections come and go.
  void Steer() override { (void)Fill().ok(); }
  Result<> End() override {
    held_.clear();
    return {};
  }

  std::optional<double> Measure() override { return 100.0 * Taken() / servers_.max_connections(); }

 private:
  int Taken() { return CountClientBackends(servers_.postgres().Backends()); }

  Result<> Fill() {
    const int wanted = Share(percent_, servers_.max_connections());
    int taken = Taken();
    for (; taken < wanted; ++taken) {
      auto session = servers_.postgres().Connect();
      if (!session.ok()) return session.error();
      held_.push_back(std::move(session).value());
    }
    for (; taken > wanted && !held_.empty(); --taken) held_.pop_back();
    return {};
  }

  Servers& servers_;
  const double percent_;
  std::vector<std::unique_ptr<PostgresSession>> held_;
};

}  // namespace

std::unique_ptr<Condition> HoldApplicationPool(Surroundings surroundings, double percent) {
  return std::make_unique<ApplicationPool>(surroundings, percent);
}

std::unique_ptr<Condition> HoldPgBouncerPool(Surroundings surroundings, double percent) {
  return std::make_unique<PgBouncerPool>(surroundings, percent);
}

std::unique_ptr<Condition> HoldPostgresConnections(Surroundings surroundings, double percent) {
  return std::make_unique<PostgresConnections>(surroundings, percent);
}

}  // namespace tocsin::demo
