// A real PgBouncer, healthy and sick, in front of a real PostgreSQL.

#include "collectors/pgbouncer/pgbouncer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ostream>
#include <thread>

#include "tests/support/batch_reader.h"
#include "tests/support/collector_probe.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/scripted_peer.h"

namespace tocsin::collectors::pgbouncer {
namespace {

using namespace std::chrono_literals;
using ::tocsin::testing::CollectorProbe;
using ::tocsin::testing::Duplicates;
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::PeerScript;
using ::tocsin::testing::PgbouncerServer;
using ::tocsin::testing::PgbouncerServerOptions;
using ::tocsin::testing::PostgresServer;
using ::tocsin::testing::PostgresSession;
using ::tocsin::testing::ScriptedPeer;
using ::tocsin::testing::Series;
using ::tocsin::testing::Value;
using ::tocsin::testing::WaitUntil;

class PgbouncerTest : public ::testing::Test {
 protected:
  void StartServer(PgbouncerServerOptions options = {}) {
    auto started = PgbouncerServer::Start(std::move(options));
    ASSERT_TRUE(started.ok()) << started.error().message << " (install pgbouncer to run this test)";
    server_ = std::move(*started);
  }
  CollectorProbe Probe(const std::string& more_dsn = "",
                       const std::string& more = ", password: stats-password") {
    return CollectorProbe(ParsePgbouncerTarget,
                          "{dsn: '" + server_->ConsoleDsn(more_dsn) + "'" + more + "}");
  }

  std::unique_ptr<PgbouncerServer> server_;
};

#define ASSERT_COLLECTED(probe)                               \
  do {                                                        \
    auto collected = (probe).Collect();                       \
    ASSERT_TRUE(collected.ok()) << collected.error().message; \
  } while (false)

TEST_F(PgbouncerTest, PoolsInUseAndWaitingClientsAreSeenAgainstThePoolsSize) {
  auto postgres = PostgresServer::Start();
  ASSERT_TRUE(postgres.ok()) << postgres.error().message;
  StartServer({.databases = {{"app", "host=127.0.0.1 port=" + std::to_string((*postgres)->port()) +
                                         " dbname=postgres pool_size=2"}},
               .users = {{"postgres", "postgres-password"}}});
  std::string dsn = "host=127.0.0.1 port=" + std::to_string(server_->port()) +
                    " user=postgres password=postgres-password dbname=app application_name=shop";
  std::vector<std::unique_ptr<PostgresSession>> sessions;
  for (int i = 0; i < 3; ++i) {
    auto session = PostgresSession::Connect(dsn);
    ASSERT_TRUE(session.ok()) << session.error().message;
    // Two take all server connections of the pool, the third waits for one.
    ASSERT_TRUE((*session)->Send("SELECT pg_sleep(60)").ok());
    sessions.push_back(std::move(*session));
  }
  auto probe = Probe();
  const std::string pool = R"({database="app",user="postgres"})";
  ASSERT_TRUE(WaitUntil([&] {
    return probe.Collect().ok() &&
           Value(probe.batch(), "pgbouncer_pools_client_waiting_connections" + pool) == 1 &&
           Value(probe.batch(), "pgbouncer_pools_server_active_connections" + pool) == 2 &&
           Value(probe.batch(), "pgbouncer_pools_client_maxwait_seconds" + pool) > 0;
  }));
  const auto& batch = probe.batch();
  std::string labels = "{database=\"postgres\",host=\"127.0.0.1\",name=\"app\",port=\"" +
                       std::to_string((*postgres)->port()) + "\"}";
  EXPECT_EQ(Value(batch, "pgbouncer_databases_pool_size" + labels), 2);
  EXPECT_EQ(Value(batch, "pgbouncer_databases_current_connections" + labels), 2);
  auto waited = Value(batch, "pgbouncer_pools_client_maxwait_seconds" + pool).value_or(0);
  EXPECT_NE(waited, static_cast<double>(static_cast<int>(waited))) << "microseconds are lost";
  EXPECT_EQ(
      Value(
          batch,
          R"(pgbouncer_client_connections{application_name="shop",database="app",state="waiting",user="postgres"})"),
      1);
  EXPECT_EQ(
      Value(
          batch,
          R"(pgbouncer_client_connections{application_name="tocsin",database="pgbouncer",state="active",user="stats"})"),
      1);
  EXPECT_TRUE(Value(batch, R"(pgbouncer_stats_totals_client_wait_seconds_total{database="app"})"));
  EXPECT_EQ(Value(batch, "pgbouncer_config_max_client_connections"), 100);
  EXPECT_EQ(Value(batch, R"(pgbouncer_version_info{version="PgBouncer 1.18.0"})"), 1);
  EXPECT_EQ(Value(batch, "pgbouncer_users"), 3);
  EXPECT_EQ(Duplicates(batch), std::set<std::string>());
  EXPECT_TRUE(batch.notes().empty()) << batch.notes()[0];
  auto types = FamilyTypes(batch);
  EXPECT_EQ(types["pgbouncer_stats_totals_queries_duration_seconds_total"], "counter");
  EXPECT_EQ(types["pgbouncer_pools_server_idle_connections"], "gauge");
}

TEST_F(PgbouncerTest, ConnectionIsKeptAndEnvironmentOptionsAreNotSent) {
  setenv("PGOPTIONS", "-c search_path=x", 1);
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  ASSERT_COLLECTED(probe);
  unsetenv("PGOPTIONS");
  EXPECT_EQ(
      Value(
          probe.batch(),
          R"(pgbouncer_client_connections{application_name="tocsin",database="pgbouncer",state="active",user="stats"})"),
      1);
  for (const char* subject :
       {"pools", "databases", "stats", "lists", "config", "version", "clients"}) {
    EXPECT_EQ(Value(probe.batch(), "tocsin_pgbouncer_collector_success{collector=\"" +
                                       std::string(subject) + "\"}"),
              1)
        << subject;
  }
}

TEST_F(PgbouncerTest, UnixSocketWorksToo) {
  StartServer();
  CollectorProbe probe(ParsePgbouncerTarget, "{dsn: 'host=" + server_->socket_folder() +
                                                 " port=" + std::to_string(server_->port()) +
                                                 " user=stats', password: stats-password}");
  ASSERT_COLLECTED(probe);
  EXPECT_EQ(probe.target().instance,
            server_->socket_folder() + ":" + std::to_string(server_->port()));
}

TEST_F(PgbouncerTest, WrongPasswordIsPermissionDeniedAndNotRepeated) {
  StartServer();
  auto probe = Probe("", ", password: hunter2");
  auto collected = probe.Collect();
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kPermissionDenied) << collected.error().message;
  EXPECT_EQ(collected.error().message.find("hunter2"), std::string::npos);

  auto none = Probe("", "");
  auto denied = none.Collect();
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, ErrorCode::kPermissionDenied) << denied.error().message;
}

TEST_F(PgbouncerTest, UserWhoMayNotLookIsPermissionDenied) {
  StartServer({.users = {{"nobody", "pass"}}});
  CollectorProbe probe(ParsePgbouncerTarget,
                       "{dsn: 'host=127.0.0.1 port=" + std::to_string(server_->port()) +
                           " user=nobody', password: pass}");
  auto collected = probe.Collect();
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kPermissionDenied) << collected.error().message;
}

TEST_F(PgbouncerTest, StoppedProcessEndsAtTheDeadlineAndRecovers) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  server_->Suspend();
  for (int i = 0; i < 2; ++i) {  // With a kept connection, then with a new one.
    auto collected = probe.Collect(300ms);
    ASSERT_FALSE(collected.ok());
    EXPECT_EQ(collected.error().code, ErrorCode::kDeadlineExceeded) << collected.error().message;
    EXPECT_LT(probe.took(), 10s);
  }
  server_->Resume();
  ASSERT_COLLECTED(probe);
}

TEST_F(PgbouncerTest, RestartedServerIsCollectedAtTheNextTurn) {
  StartServer();
  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  server_->Stop();
  auto down = probe.Collect();
  ASSERT_FALSE(down.ok());
  EXPECT_EQ(down.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(down.error().message.find("Connection refused"), std::string::npos)
      << down.error().message;
  ASSERT_TRUE(server_->StartAgain().ok());
  ASSERT_COLLECTED(probe);

  server_->Stop();
  ASSERT_TRUE(server_->StartAgain().ok());
  ASSERT_COLLECTED(probe);
}

// Names as clients may choose them: an application_name always, a database where there is
// one for all (*). A user is whoever is in the file.
TEST_F(PgbouncerTest, HostileNamesOfDatabasesUsersAndClientsAreKept) {
  StartServer({.databases = {{"*", "host=127.0.0.1 port=1"}},
               .settings = {{"query_wait_timeout", "1"}},
               .users = {{"o\"\"ne\\two\xfe", "pass"}}});
  // Nobody answers behind the pool, but the pool is there from the first client on.
  auto refused =
      PostgresSession::Connect("host=127.0.0.1 port=" + std::to_string(server_->port()) +
                               " password=pass user='o\"ne\\\\two\xfe' dbname='sh\"op\\\\\n\xff'");
  ASSERT_FALSE(refused.ok());
  auto client = PostgresSession::Connect(
      server_->ConsoleDsn("password=stats-password application_name='a\"b\\\\c\nd\xff'"));
  ASSERT_TRUE(client.ok()) << client.error().message;

  auto probe = Probe();
  ASSERT_COLLECTED(probe);
  const auto& batch = probe.batch();
  const std::string database = "sh\\\"op\\\\\\n\xEF\xBF\xBD";
  EXPECT_EQ(Value(batch, "pgbouncer_pools_server_active_connections{database=\"" + database +
                             "\",user=\"o\\\"ne\\\\two\xEF\xBF\xBD\"}"),
            0);
  std::string clients;
  for (const auto& [series, value] : Series(batch)) {
    if (series.starts_with("pgbouncer_client_connections{application_name=\"a")) clients += series;
  }
  EXPECT_EQ(clients,
            "pgbouncer_client_connections{application_name=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\","
            "database=\"pgbouncer\",state=\"active\",user=\"stats\"}");
  EXPECT_EQ(Duplicates(batch), std::set<std::string>());
}

TEST_F(PgbouncerTest, SeveralInstancesAreSeveralTargets) {
  StartServer();
  auto first = Probe();
  auto one = std::move(server_);
  StartServer();
  auto second = Probe();
  ASSERT_COLLECTED(first);
  ASSERT_COLLECTED(second);
  EXPECT_NE(first.target().instance, second.target().instance);
  one->Stop();
  EXPECT_FALSE(first.Collect().ok());
  ASSERT_COLLECTED(second);
}

struct HostileCase {
  const char* name;
  PeerScript script;
  ErrorCode expected;
};
void PrintTo(const HostileCase& hostile, std::ostream* out) { *out << hostile.name; }

class HostilePgbouncerTest : public ::testing::TestWithParam<HostileCase> {};

TEST_P(HostilePgbouncerTest, EndsByTheDeadlineWithAReason) {
  ScriptedPeer peer(GetParam().script);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    CollectorProbe probe(ParsePgbouncerTarget, std::string("{dsn: 'host=") + host +
                                                   " port=" + std::to_string(peer.port()) +
                                                   " user=stats sslmode=disable'}");
    const bool ends_itself = GetParam().expected != ErrorCode::kDeadlineExceeded;
    auto timeout = ends_itself ? 30s : 400ms;
    auto collected = probe.Collect(timeout);
    ASSERT_FALSE(collected.ok());
    EXPECT_EQ(collected.error().code, GetParam().expected) << collected.error().message;
    // Far more than a crowded machine adds; nothing else would end a hung one.
    EXPECT_LT(probe.took(), timeout + 10s);
  }
}

// AuthenticationOk and ReadyForQuery, then what a test adds.
std::string LoggedIn(const std::string& more) {
  return std::string("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", 15) + more;
}

INSTANTIATE_TEST_SUITE_P(
    Peers, HostilePgbouncerTest,
    ::testing::Values(
        HostileCase{"NeverAnswers", {}, ErrorCode::kDeadlineExceeded},
        HostileCase{
            "LogsInAndNeverAnswers", {.answer = LoggedIn("")}, ErrorCode::kDeadlineExceeded},
        HostileCase{"DripsBytes",
                    {.answer = LoggedIn(std::string("T\0\0\x08\0", 5) + std::string(500, 'x')),
                     .between_bytes = 10ms},
                    ErrorCode::kDeadlineExceeded},
        HostileCase{"AnswersNonsense",
                    {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n"},
                    ErrorCode::kCorruption},
        HostileCase{"ClosesAtOnce", {.close_after = true}, ErrorCode::kUnavailable},
        HostileCase{"ClosesInMidAnswer",
                    {.answer = LoggedIn(std::string("T\0\0\0\x20\0\x01", 7)), .close_after = true},
                    ErrorCode::kUnavailable}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tocsin::collectors::pgbouncer
