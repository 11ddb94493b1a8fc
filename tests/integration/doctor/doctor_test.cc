// `tocsin doctor` on real servers that lack something: each lack is found with what
// mends it, and mending it as told makes it go away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class DoctorTest : public ::testing::Test {
 protected:
  // Runs it on `config`; the storage is a folder of the test's.
  json Examine(const std::string& config, int expected_status = 1) {
    PosixFileSystem files;
    const std::string path = folder_.File("tocsin.yaml");
    const std::string storage = config.find("storage:") == config.npos
                                    ? "\nstorage: { path: " + folder_.File("data") + " }"
                                    : "";
    EXPECT_TRUE(files.WriteAtomically(path, config + storage + "\nrules: []\n").ok());
    const auto run = RunTocsin({"doctor", "--config", path, "--json"});
    EXPECT_EQ(run.status, expected_status) << run.output;
    const json report = json::parse(run.output, nullptr, false);
    EXPECT_TRUE(report.is_object()) << run.output;
    return report;
  }

  static json SubjectOf(const json& report, const std::string& kind) {
    for (const json& subject : report.value("subjects", json::array())) {
      if (subject["kind"] == kind) return subject;
    }
    return json::object();
  }

  // Null if nothing was found about it.
  static json FindingOf(const json& report, const std::string& kind, const std::string& check) {
    for (const json& finding : SubjectOf(report, kind).value("findings", json::array())) {
      if (finding["check"] == check) return finding;
    }
    return nullptr;
  }

  static std::string Text(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  // The statements of "… psql … -c 'A' -c 'B'", carried out.
  static void RunStatements(PostgresServer& server, const std::string& remedy) {
    for (auto at = remedy.find(" -c '"); at != remedy.npos; at = remedy.find(" -c '", at + 1)) {
      const auto begin = at + 5;
      const std::string sql = remedy.substr(begin, remedy.find('\'', begin) - begin);
      const auto done = server.Execute(sql);
      EXPECT_TRUE(done.ok()) << sql << ": " << done.error().message;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(DoctorTest, WhatAPostgresServerLacksIsFoundAndItsRemediesMendIt) {
  auto server =
      PostgresServer::Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"},
                                          {"logging_collector", "on"},
                                          {"log_file_mode", "0644"}}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  PostgresServer& postgres = **server;
  const std::string config =
      "postgres: [ { name: primary, dsn: '" + postgres.Dsn("user=tocsin") + "' } ]";

  json login = FindingOf(Examine(config), "postgres", "login");
  ASSERT_FALSE(login.is_null());
  EXPECT_EQ(login["severity"], "error");
  EXPECT_THAT(Text(login["message"]), HasSubstr("role \"tocsin\" does not exist"));
  // The first half of the remedy only: the role is there, and blind.
  ASSERT_TRUE(postgres.Execute("CREATE ROLE tocsin LOGIN").ok());

  json report = Examine(config);
  EXPECT_EQ(FindingOf(report, "postgres", "login"), nullptr);
  const json extension = FindingOf(report, "postgres", "pg_stat_statements");
  const json durations = FindingOf(report, "postgres", "query durations");
  ASSERT_FALSE(extension.is_null() || durations.is_null()) << report.dump(1);
  EXPECT_EQ(extension["severity"], "warning");
  EXPECT_THAT(report.dump(), HasSubstr("GRANT pg_monitor TO tocsin"));

  const std::string remedy = Text(login["remedy"]);
  RunStatements(postgres, remedy.substr(remedy.find(" -c 'GRANT")));  // Its second half.
  report = Examine(config);
  EXPECT_THAT(SubjectOf(report, "postgres").dump(), Not(HasSubstr("GRANT pg_monitor")));
  EXPECT_EQ(FindingOf(report, "postgres", "track_io_timing")["severity"], "note");
  for (const char* check : {"pg_stat_statements", "query durations", "track_io_timing"}) {
    const json finding = FindingOf(report, "postgres", check);
    ASSERT_FALSE(finding.is_null()) << check;
    RunStatements(postgres, Text(finding["remedy"]));
  }
  // The server takes its settings over a moment after it was asked to.
  EXPECT_TRUE(WaitUntil([&] {
    report = Examine(config);
    return SubjectOf(report, "postgres")["findings"].empty();
  })) << report.dump(1);
  EXPECT_EQ(SubjectOf(report, "postgres")["good"], true);
}

TEST_F(DoctorTest, ARoleWithoutAConnectionLeftIsToldHowToGetOne) {
  auto server = PostgresServer::Start();
  ASSERT_TRUE(server.ok()) << server.error().message;
  ASSERT_TRUE((*server)->Execute("CREATE ROLE tocsin LOGIN CONNECTION LIMIT 0").ok());
  const std::string config =
      "postgres: [ { name: primary, dsn: '" + (*server)->Dsn("user=tocsin") + "' } ]";
  const json answer = FindingOf(Examine(config), "postgres", "answer");
  EXPECT_THAT(Text(answer["message"]), HasSubstr("too many connections for role"));
  RunStatements(**server, Text(answer["remedy"]));
  EXPECT_EQ(FindingOf(Examine(config), "postgres", "answer"), nullptr);
}

// In SQL_ASCII a role's name is any bytes.
TEST_F(DoctorTest, ARoleWhoseNameIsNoTextIsExaminedAsAnyOther) {
  auto server = PostgresServer::Start();
  ASSERT_TRUE(server.ok()) << server.error().message;
  PostgresServer& postgres = **server;
  for (const auto& [database, sql] :
       {std::pair("postgres",
                  "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"),
        std::pair("bytes", "CREATE ROLE \"odd\xff\" LOGIN")}) {
    const auto done = postgres.Execute(sql, database);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  const json report = Examine("postgres: [ { name: primary, dsn: \"host=127.0.0.1 port=" +
                              std::to_string(postgres.port()) + " user=odd\xff dbname=bytes\" } ]");
  EXPECT_EQ(FindingOf(report, "postgres", "settings"), nullptr) << report.dump(1);
  const json blind = FindingOf(report, "postgres", "rights");
  EXPECT_THAT(Text(blind["message"]), HasSubstr("role \"odd\uFFFD\" may not read"));
  EXPECT_EQ(Text(blind["remedy"]), "");
  EXPECT_FALSE(FindingOf(report, "postgres", "pg_stat_statements").is_null());
}

TEST_F(DoctorTest, AServerWithoutTheLibraryOrWithASuperuserIsTold) {
  auto server = PostgresServer::Start();
  ASSERT_TRUE(server.ok()) << server.error().message;
  const json report = Examine("postgres: [ { name: primary, dsn: '" + (*server)->Dsn() + "' } ]");
  EXPECT_THAT(Text(FindingOf(report, "postgres", "pg_stat_statements")["remedy"]),
              HasSubstr("shared_preload_libraries = 'pg_stat_statements'"));
  EXPECT_EQ(FindingOf(report, "postgres", "rights")["severity"], "note");
}

TEST_F(DoctorTest, WhoMayNotAskPgbouncerOrRedisIsToldWhatWouldLetHim) {
  auto pgbouncer = PgbouncerServer::Start({.users = {{"app", "app-password"}}});
  ASSERT_TRUE(pgbouncer.ok()) << pgbouncer.error().message;
  auto redis = RedisServer::Start();
  ASSERT_TRUE(redis.ok()) << redis.error().message;
  ASSERT_TRUE((*redis)->Command("ACL SETUSER tocsin on >secret +info +client|setname").ok());
  const std::string config =
      "pgbouncer: [ { name: pool, password: app-password, dsn: '" +
      (*pgbouncer)->ConsoleDsn("user=app") +
      "' } ]\nredis: [ { name: cache, user: tocsin, password: secret, url: '" + (*redis)->Url() +
      "' } ]";
  json report = Examine(config);
  EXPECT_THAT(Text(FindingOf(report, "pgbouncer", "login")["remedy"]),
              HasSubstr("sudo tocsin setup pgbouncer --role tocsin"));
  const json config_part = FindingOf(report, "redis", "config");
  ASSERT_FALSE(config_part.is_null()) << report.dump(1);
  const std::string remedy = Text(config_part["remedy"]);
  const auto acl = remedy.find("ACL SETUSER");
  ASSERT_NE(acl, remedy.npos) << remedy;
  ASSERT_TRUE((*redis)->Command(remedy.substr(acl)).ok());
  report = Examine(config);
  EXPECT_EQ(FindingOf(report, "redis", "config"), nullptr) << report.dump(1);
  EXPECT_THAT(report.dump(), Not(HasSubstr("app-password")));
}

TEST_F(DoctorTest, WhoMayNotAskASentinelIsToldWhatWouldLetHim) {
  auto redis = RedisServer::Start();
  ASSERT_TRUE(redis.ok()) << redis.error().message;
  auto sentinel = RedisServer::Start(
      {.sentinel = "sentinel monitor main 127.0.0.1 " + std::to_string((*redis)->port()) + " 1\n"});
  ASSERT_TRUE(sentinel.ok()) << sentinel.error().message;
  const auto target = [&](const std::string& more) {
    return "redis: [ { name: watcher, url: '" + (*sentinel)->Url() + "'" + more + " } ]";
  };
  // Everybody may, and lacks nothing: that it has no keys or slow log is no finding.
  EXPECT_EQ(SubjectOf(Examine(target("")), "redis")["findings"], json::array());

  ASSERT_TRUE((*sentinel)->Command("ACL SETUSER tocsin on >secret +info +client|setname").ok());
  json report = Examine(target(", user: tocsin, password: secret"));
  for (const char* part : {"sentinel", "sentinel_quorum"}) {
    const json finding = FindingOf(report, "redis", part);
    ASSERT_FALSE(finding.is_null()) << part << report.dump(1);
    const std::string remedy = Text(finding["remedy"]);
    const auto acl = remedy.find("ACL SETUSER");
    ASSERT_NE(acl, remedy.npos) << remedy;
    ASSERT_TRUE((*sentinel)->Command(remedy.substr(acl)).ok());
  }
  report = Examine(target(", user: tocsin, password: secret"));
  EXPECT_EQ(SubjectOf(report, "redis")["findings"], json::array()) << report.dump(1);
  EXPECT_THAT(Text(FindingOf(Examine(target(", user: tocsin, password: wrong")), "redis",
                             "login")["remedy"]),
              HasSubstr("--url " + (*sentinel)->Url()));
}

TEST_F(DoctorTest, TargetsThatDoNotAnswerAndPagesThatAreWrongAreErrors) {
  HttpServer web{[](const ServedRequest& request) {
    ServedAnswer answer;
    answer.status = request.target == "/sick" ? 500 : 200;
    return answer;
  }};
  const std::string nobody = "127.0.0.1:" + std::to_string(FreePort());
  const json report = Examine("redis: [ { name: gone, url: 'redis://" + nobody +
                              "' } ]\nhttp: [ { name: sick, url: '" + web.Url("/sick") +
                              "' } ]\nprometheus: [ { name: page, url: 'http://" + nobody +
                              "/metrics' } ]\nhost: [ { name: self } ]");
  EXPECT_EQ(FindingOf(report, "redis", "answer")["severity"], "error");
  EXPECT_EQ(FindingOf(report, "http", "answer")["severity"], "error");
  EXPECT_EQ(FindingOf(report, "prometheus", "answer")["severity"], "error");
  EXPECT_EQ(SubjectOf(report, "host")["good"], true) << report.dump(1);
}

TEST_F(DoctorTest, TheHostsOwnPartIsLookedAt) {
  json report = Examine("storage: { path: /dev/null/tocsin }");
  EXPECT_EQ(FindingOf(report, "storage", "folder")["severity"], "error") << report.dump(1);
  EXPECT_EQ(FindingOf(report, "notification", "receivers")["severity"], "warning");
  report =
      Examine("storage: { path: " + folder_.path() +
              ", max_size: 900000GB }\nnotify: { slack: { webhook_url: 'http://127.0.0.1:9/x' } }");
  EXPECT_EQ(FindingOf(report, "storage", "free space")["severity"], "warning") << report.dump(1);
  EXPECT_EQ(FindingOf(report, "notification", "receivers"), nullptr);
  EXPECT_EQ(FindingOf(report, "notification", "heartbeat")["severity"], "note");
  EXPECT_FALSE(SubjectOf(report, "clock").empty());
  EXPECT_FALSE(SubjectOf(report, "service").empty());
}

TEST_F(DoctorTest, AWrongConfigurationIsAFindingAndAMissingOneWrongUse) {
  const json report = Examine("postgres: [ { name: primary, dns: x } ]");
  EXPECT_THAT(report.dump(), HasSubstr("did you mean \\\"dsn\\\""));
  const auto missing = RunTocsin({"doctor", "--config", "/nowhere.yaml"});
  EXPECT_EQ(missing.status, 2) << missing.output;
}

TEST_F(DoctorTest, ForAPersonItIsPlainTextWithoutColourWhereThatIsNoTerminal) {
  PosixFileSystem files;
  const std::string path = folder_.File("tocsin.yaml");
  ASSERT_TRUE(files.WriteAtomically(path, "storage: { path: " + folder_.path() + " }\n").ok());
  const std::string output = RunTocsin({"doctor", "--config", path}).output;
  EXPECT_THAT(output, HasSubstr("warning  receivers: no alert is told to anybody"));
  EXPECT_THAT(output, HasSubstr("to mend it: notify:"));
  EXPECT_THAT(output, Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace tocsin::testing
