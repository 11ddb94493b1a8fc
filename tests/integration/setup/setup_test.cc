// `tocsin setup`: the role that it makes, with exactly the rights that it gives, is one
// with which no part of a poll fails; doing it twice changes nothing; nobody sees the
// password.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/base/file_system.h"
#include "daemon/base/text.h"
#include "tests/support/daemon_process.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class SetupTest : public ::testing::Test {
 protected:
  FinishedProcess Setup(std::vector<std::string> words) {
    words.insert(words.begin(), "setup");
    return RunTocsin(std::move(words));
  }

  std::string Read(const std::string& path) {
    const auto text = files_.Read(path);
    EXPECT_TRUE(text.ok()) << text.error().message;
    return text.ok() ? *text : std::string();
  }

  std::string Password() { return std::string(TrimSpace(Read(password_file_))); }

  void ExpectWatched(const std::string& targets, const std::string& up, const std::string& parts,
                     int least_parts = 4) {
    auto daemon = DaemonProcess::Start("interval: 1s\n" + targets);
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    EXPECT_TRUE((*daemon)->WaitForValue(up, 1)) << (*daemon)->Output();
    EXPECT_EQ((*daemon)->Query("min(" + parts + ")"), 1)
        << (*daemon)->Get("/api/v1/query?query=" + PercentEncode(parts + " == 0")).body
        << (*daemon)->Get("/api/v1/targets").body;
    EXPECT_GE((*daemon)->Query("count(" + parts + ")").value_or(0), least_parts);
  }

  PosixFileSystem files_;
  TemporaryFolder folder_;
  const std::string password_file_ = folder_.File("made/the.password");
};

class PostgresSetupTest : public SetupTest {
 protected:
  void StartServer() {
    auto server =
        PostgresServer::Start({.settings = {{"shared_preload_libraries", "'pg_stat_statements'"}},
                               .hba = "host all tocsin 127.0.0.1/32 scram-sha-256"});
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
  }

  std::string Facts() {
    const auto rows = server_->Execute(
        "SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,"
        " (SELECT string_agg(r.rolname, ',') FROM pg_auth_members m JOIN pg_roles r"
        "  ON r.oid = m.roleid WHERE m.member = a.oid) FROM pg_roles a WHERE rolname = 'tocsin'");
    EXPECT_TRUE(rows.ok());
    std::string text;
    for (const auto& row : *rows) {
      for (const auto& cell : row) text += cell + " ";
    }
    return text;
  }

  std::unique_ptr<PostgresServer> server_;
};

TEST_F(PostgresSetupTest, TheRoleItMakesSeesEverythingWithNoMoreThanPgMonitor) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const std::vector<std::string> words = {"postgres",        "--dsn",        server_->Dsn(),
                                          "--password-file", password_file_, "--apply"};
  const auto first = Setup(words);
  EXPECT_EQ(first.status, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("done: role tocsin may log in and has pg_monitor"));
  EXPECT_THAT(first.output, HasSubstr("a new password is in " + password_file_));
  EXPECT_THAT(first.output, Not(HasSubstr("shared_preload_libraries")));
  const std::string password = Password();
  EXPECT_EQ(password.size(), 32u);
  EXPECT_THAT(first.output + server_->Output(), Not(HasSubstr(password)));
  struct stat status {};
  ASSERT_EQ(stat(password_file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(Facts(), "t f f f f f pg_monitor ");

  const auto again = Setup(words);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(Password(), password);
  EXPECT_EQ(Facts(), "t f f f f f pg_monitor ");
  ExpectWatched("postgres: [ { name: db, log: off, password_file: " + password_file_ +
                    ", collectors: { process_idle: on, statio_user_indexes: on }, dsn: '" +
                    server_->Dsn("user=tocsin") + "' } ]",
                "pg_up", "pg_scrape_collector_success");
}

TEST_F(PostgresSetupTest, WhatItPrintsDoesTheSame) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const auto printed = Setup({"postgres", "--password-file", password_file_, "--json"});
  EXPECT_EQ(printed.status, 0) << printed.output;
  const json plan = json::parse(printed.output, nullptr, false);
  ASSERT_TRUE(plan.is_object()) << printed.output;
  EXPECT_EQ(plan["password_made"], true);
  const auto sql = plan["steps"][0]["text"].get<std::string>();
  EXPECT_THAT(sql, Not(HasSubstr(Password())));
  const auto done = server_->Execute(sql);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_TRUE(server_->Execute(sql).ok());  // Twice.
  EXPECT_EQ(Facts(), "t f f f f f pg_monitor ");
  ExpectWatched("postgres: [ { name: db, log: off, password_file: " + password_file_ + ", dsn: '" +
                    server_->Dsn("user=tocsin") + "' } ]",
                "pg_up", "pg_scrape_collector_success");
}

TEST_F(PostgresSetupTest, ARoleWithAStrangeNameIsQuotedAndWhatIsLeftToDoIsSaid) {
  auto server = PostgresServer::Start();
  ASSERT_TRUE(server.ok()) << server.error().message;
  const std::string name = "The \"bell\" o'er 1";
  const auto run = Setup({"postgres", "--role", name, "--dsn", (*server)->Dsn(), "--apply"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("shared_preload_libraries = 'pg_stat_statements'"));
  const auto rows =
      (*server)->Execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'The \"bell\" o''er 1'");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->size(), 1u);
}

TEST_F(PostgresSetupTest, NobodyElsesPasswordIsReplaced) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_TRUE(server_->Execute("CREATE ROLE app LOGIN PASSWORD 'of-the-application'").ok());
  const char* secret =
      "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('app',"
      " 'tocsin') ORDER BY 1";
  const auto before = server_->Execute(secret);
  std::vector<std::string> words = {"postgres",     "--role",          "app",          "--dsn",
                                    server_->Dsn(), "--password-file", password_file_, "--apply"};
  const auto refused = Setup(words);
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("role app may have another password"));
  EXPECT_EQ(*server_->Execute(secret), *before);
  // Our own: made once, and the same when it is done again.
  words[2] = "tocsin";
  EXPECT_EQ(Setup(words).status, 0);
  const auto ours = server_->Execute(secret);
  EXPECT_NE(*ours, *before);
  EXPECT_EQ(Setup(words).status, 0);
  EXPECT_EQ(*server_->Execute(secret), *ours);
}

TEST_F(PostgresSetupTest, APasswordKeptAsMd5IsKnownForTheSame) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_TRUE(files_.WriteAtomically(folder_.File("password"), "of-both\n").ok());
  const auto done = server_->Execute(
      "SET password_encryption = 'md5'; CREATE ROLE app LOGIN PASSWORD 'of-both';"
      " CREATE ROLE tocsin LOGIN PASSWORD 'of-both'");
  ASSERT_TRUE(done.ok()) << done.error().message;
  const auto stored = [&](const std::string& role) {
    const auto rows =
        server_->Execute("SELECT rolpassword FROM pg_authid WHERE rolname = '" + role + "'");
    return rows.ok() && rows->size() == 1 ? rows->at(0).at(0) : std::string();
  };
  const std::string before = stored("app");
  EXPECT_THAT(before, ::testing::StartsWith("md5"));
  for (const char* role : {"app", "tocsin"}) {
    const auto run = Setup({"postgres", "--role", role, "--dsn", server_->Dsn(), "--password-file",
                            folder_.File("password"), "--apply"});
    EXPECT_EQ(run.status, 0) << run.output;
  }
  EXPECT_EQ(stored("app"), before);
  EXPECT_THAT(stored("tocsin"), ::testing::StartsWith("SCRAM-SHA-256$"));
}

TEST_F(PostgresSetupTest, WhoMayNotMakeRolesIsToldSoAndWrongUseIsStatusTwo) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_TRUE(server_->Execute("CREATE ROLE nobody LOGIN").ok());
  const auto refused = Setup({"postgres", "--dsn", server_->Dsn("user=nobody"), "--apply"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("permission denied"));
  EXPECT_EQ(Setup({"postgres", "--apply"}).status, 2);
  EXPECT_EQ(Setup({"mysql"}).status, 2);
  EXPECT_EQ(Setup({"postgres", "--role", "pg_evil"}).status, 1);
}

// Whatever is in a name or a path, the line for the configuration means it.
TEST_F(SetupTest, TheLineForTheConfigurationIsReadAsItIsMeant) {
  const std::string file = folder_.File("a \"password\": [x], it's $$5 ${HOME}");
  const std::vector<std::vector<std::string>> all = {
      {"postgres", "--role", "a\", x: [1 ${USER} it's \\ #2", "--database", "my db }"},
      {"pgbouncer", "--role", "it's{[$1]}#:"},
      {"redis", "--role", "a\",x:[1${USER}'#"}};
  for (std::vector<std::string> words : all) {
    words.insert(words.end(), {"--password-file", file, "--json"});
    const auto printed = Setup(words);
    ASSERT_EQ(printed.status, 0) << printed.output;
    const json plan = json::parse(printed.output, nullptr, false);
    ASSERT_TRUE(plan.is_object()) << printed.output;
    const auto line = plan["steps"].back()["text"].get<std::string>();
    ASSERT_TRUE(files_.WriteAtomically(folder_.File("tocsin.yaml"), line + "\n").ok());
    const auto checked = RunTocsin({"check", "config", folder_.File("tocsin.yaml")});
    EXPECT_EQ(checked.status, 0) << line << "\n" << checked.output;
  }
}

TEST_F(SetupTest, ARedisTargetIsWhereTheUserWasMade) {
  const auto printed = Setup({"redis", "--url", "rediss://boss:of-the-boss@db.example:26379",
                              "--password-file", password_file_});
  EXPECT_EQ(printed.status, 0) << printed.output;
  EXPECT_THAT(printed.output, HasSubstr("url: \"rediss://db.example:26379\""));
  EXPECT_THAT(printed.output, Not(HasSubstr("of-the-boss")));
}

TEST_F(SetupTest, APgbouncerUserIsAddedToBothFilesAndNothingElseChanges) {
  auto server = PgbouncerServer::Start(
      {.settings = {{"admin_users", "boss"}}, .users = {{"boss", "boss-password"}}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  const std::string ini = (*server)->socket_folder() + "/pgbouncer.ini";
  const std::string users = (*server)->socket_folder() + "/users";
  const std::string users_before = Read(users);
  struct stat before {};
  ASSERT_EQ(stat(ini.c_str(), &before), 0);
  ASSERT_TRUE(files_.WriteAtomically(folder_.File("boss"), "boss-password\n").ok());
  const std::vector<std::string> words = {"pgbouncer",
                                          "--ini",
                                          ini,
                                          "--password-file",
                                          password_file_,
                                          "--apply",
                                          "--dsn",
                                          (*server)->ConsoleDsn("user=boss"),
                                          "--administrator-password-file",
                                          folder_.File("boss")};
  const auto first = Setup(words);
  EXPECT_EQ(first.status, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("PgBouncer has read its files again"));
  EXPECT_THAT(Read(ini), HasSubstr("\nstats_users = stats, tocsin\n"));
  EXPECT_EQ(Read(users).rfind(users_before, 0), 0u);
  EXPECT_THAT(Read(users), HasSubstr("\"tocsin\" \"SCRAM-SHA-256$"));
  EXPECT_THAT(Read(users) + first.output, Not(HasSubstr(Password())));
  struct stat after {};
  ASSERT_EQ(stat(ini.c_str(), &after), 0);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_mode, before.st_mode);

  std::vector<std::string> of_another = words;
  of_another.insert(of_another.end(), {"--role", "boss"});
  const auto refused = Setup(of_another);
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("user boss has another password"));
  const std::string changed = Read(ini) + Read(users);
  const auto again = Setup(words);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(Read(ini) + Read(users), changed);
  ExpectWatched("pgbouncer: [ { name: pool, password_file: " + password_file_ + ", dsn: '" +
                    (*server)->ConsoleDsn("user=tocsin") + "' } ]",
                "pgbouncer_up", "tocsin_pgbouncer_collector_success");
}

TEST_F(SetupTest, ARedisUserMayRunWhatIsCollectedAndNothingElse) {
  auto server = RedisServer::Start({.arguments = {"--requirepass", "boss-password"}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  ASSERT_TRUE(files_.WriteAtomically(folder_.File("boss"), "boss-password\n").ok());
  const std::vector<std::string> words = {"redis",
                                          "--url",
                                          (*server)->Url(),
                                          "--administrator-password-file",
                                          folder_.File("boss"),
                                          "--password-file",
                                          password_file_,
                                          "--key-policies",
                                          "--apply"};
  const auto first = Setup(words);
  EXPECT_EQ(first.status, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("gone after a restart"));  // It has no file to keep it in.
  EXPECT_THAT(first.output, Not(HasSubstr(Password())));
  std::vector<std::string> of_another = words;
  of_another.insert(of_another.end(), {"--role", "default"});
  const auto refused = Setup(of_another);
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("user default is there already"));
  const auto user = (*server)->Command("-a boss-password ACL LIST");
  const auto again = Setup(words);
  EXPECT_EQ(again.status, 0) << again.output;
  const auto user_again = (*server)->Command("-a boss-password ACL LIST");
  ASSERT_TRUE(user.ok() && user_again.ok());
  EXPECT_EQ(*user, *user_again);
  const std::string as_user = "--user tocsin -a " + Password() + " ";
  ASSERT_TRUE((*server)->Command("-a boss-password SET availability:1 x").ok());
  for (const char* forbidden : {"GET availability:1", "SET a b", "CONFIG SET maxmemory 1", "KEYS *",
                                "SHUTDOWN NOSAVE", "ACL LIST"}) {
    const auto answer = (*server)->Command(as_user + forbidden);
    EXPECT_THAT(answer.ok() ? *answer : answer.error().message, HasSubstr("NOPERM")) << forbidden;
  }
  ExpectWatched("redis: [ { name: cache, user: tocsin, password_file: " + password_file_ +
                    ", key_policies: [ { prefix: 'availability:', max_ttl: 5m } ], url: '" +
                    (*server)->Url() + "' } ]",
                "redis_up", "tocsin_redis_collector_success");
}

TEST_F(SetupTest, ASentinelsUserMayAskForItsMastersAndOutlivesARestart) {
  auto redis = RedisServer::Start();
  ASSERT_TRUE(redis.ok()) << redis.error().message;
  const std::string conf =
      "sentinel monitor main 127.0.0.1 " + std::to_string((*redis)->port()) + " 1\n";
  const std::string acl = folder_.File("users.acl");
  ASSERT_TRUE(files_.WriteAtomically(acl, "user default on nopass ~* &* +@all\n").ok());
  for (const std::string& more : {std::string(), "aclfile " + acl + "\n"}) {
    auto sentinel = RedisServer::Start({.sentinel = conf + more});
    ASSERT_TRUE(sentinel.ok()) << sentinel.error().message;
    const std::vector<std::string> words = {"redis",           "--url",        (*sentinel)->Url(),
                                            "--password-file", password_file_, "--key-policies",
                                            "--apply"};
    for (int times = 0; times < 2; ++times) {
      const auto run = Setup(words);
      EXPECT_EQ(run.status, 0) << run.output;
      EXPECT_THAT(run.output, HasSubstr(more.empty() ? "sentinel.conf holds the user"
                                                     : "the aclfile holds the user"));
      EXPECT_THAT(run.output, HasSubstr("url: \"" + (*sentinel)->Url() + "\""));
    }
    ASSERT_TRUE(((*sentinel)->Stop(), (*sentinel)->StartAgain().ok()));
    const std::string as_user = "--user tocsin -a " + Password() + " ";
    for (const char* forbidden : {"SENTINEL REMOVE main", "SHUTDOWN", "ACL LIST"}) {
      const auto answer = (*sentinel)->Command(as_user + forbidden);
      EXPECT_THAT(answer.ok() ? *answer : answer.error().message, HasSubstr("NOPERM")) << forbidden;
    }
    ExpectWatched("redis: [ { name: sentinel, user: tocsin, password_file: " + password_file_ +
                      ", url: '" + (*sentinel)->Url() + "' } ]",
                  "redis_up", "tocsin_redis_collector_success", /*least_parts=*/3);
  }
}

TEST_F(SetupTest, WhatIsPrintedForASentinelDoesTheSame) {
  auto sentinel = RedisServer::Start({.sentinel = "sentinel monitor main 127.0.0.1 1 1\n"});
  ASSERT_TRUE(sentinel.ok()) << sentinel.error().message;
  const auto printed = Setup({"redis", "--password-file", password_file_, "--json"});
  const json plan = json::parse(printed.output, nullptr, false);
  ASSERT_TRUE(plan.is_object()) << printed.output;
  std::string commands;
  for (const json& step : plan["steps"]) {
    if (step["where"].get<std::string>().starts_with("of a Sentinel")) commands = step["text"];
  }
  ASSERT_NE(commands, "") << printed.output;
  std::istringstream lines(commands);
  for (std::string line; std::getline(lines, line);) {
    const auto done = (*sentinel)->Command(line);
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, ::testing::StartsWith("OK")) << line;
  }
}

TEST_F(SetupTest, ARedisWithAnAclFileKeepsTheUser) {
  const std::string acl = folder_.File("users.acl");
  ASSERT_TRUE(files_.WriteAtomically(acl, "user default on nopass ~* &* +@all\n").ok());
  auto server = RedisServer::Start({.arguments = {"--aclfile", acl}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  const auto run =
      Setup({"redis", "--url", (*server)->Url(), "--password-file", password_file_, "--apply"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(Read(acl), HasSubstr("user tocsin on"));
  ASSERT_TRUE(((*server)->Stop(), (*server)->StartAgain().ok()));
  ExpectWatched("redis: [ { name: cache, user: tocsin, password_file: " + password_file_ +
                    ", url: '" + (*server)->Url() + "' } ]",
                "redis_up", "tocsin_redis_collector_success");
}

}  // namespace
}  // namespace tocsin::testing
