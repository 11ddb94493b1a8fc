// Credentials that a server refuses: the target is down and says why without saying
// the secret; the right one, put in its file, is taken at the next poll.

#include "daemon/base/file_system.h"
#include "tests/integration/daemon/watched_host.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {
namespace {

constexpr const char* kWrong = "not-the-password-7381";
constexpr const char* kRight = "right-password-5527";

class WrongPasswordTest : public ::testing::Test {
 protected:
  void Start() {
    auto postgres = PostgresServer::Start({.hba = "host all watcher 127.0.0.1/32 scram-sha-256"});
    ASSERT_TRUE(postgres.ok()) << postgres.error().message;
    postgres_ = *std::move(postgres);
    ASSERT_TRUE(postgres_
                    ->Execute(std::string("CREATE ROLE watcher LOGIN PASSWORD '") + kRight +
                              "'; GRANT pg_monitor TO watcher")
                    .ok());
    auto pgbouncer = PgbouncerServer::Start(
        {.settings = {{"stats_users", "watcher"}}, .users = {{"watcher", kRight}}});
    ASSERT_TRUE(pgbouncer.ok()) << pgbouncer.error().message;
    pgbouncer_ = *std::move(pgbouncer);
    auto redis = RedisServer::Start({.arguments = {"--requirepass", kRight}});
    ASSERT_TRUE(redis.ok()) << redis.error().message;
    redis_ = *std::move(redis);
    WritePassword(kWrong);
    auto daemon = DaemonProcess::Start(Config());
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
  }

  void WritePassword(const std::string& password) {
    PosixFileSystem files;
    ASSERT_TRUE(files.WriteAtomically(folder_.File("password"), password + "\n").ok());
  }

  std::string Config() const {
    const std::string secret = "password_file: " + folder_.File("password");
    return "interval: 1s\nhost: [ { name: host } ]\n"
           "postgres: [ { name: postgres, " +
           secret + ", dsn: '" + postgres_->Dsn("user=watcher") +
           "' } ]\n"
           "pgbouncer: [ { name: pgbouncer, " +
           secret + ", dsn: '" + pgbouncer_->ConsoleDsn("user=watcher") +
           "' } ]\n"
           "redis: [ { name: redis, " +
           secret + ", url: '" + redis_->Url() +
           "' } ]\n"
           "http: [ { name: http, basic_auth: { username: watcher, " +
           secret + " }, url: '" + web_.Url("/health") +
           "' } ]\n"
           "prometheus: [ { name: prometheus, basic_auth: { username: watcher, " +
           secret + " }, url: '" + web_.Url("/metrics") + "' } ]\n";
  }

  HttpServer web_{[](const ServedRequest& request) {
    ServedAnswer answer;
    // watcher:right-password-5527
    const bool known =
        request.Header("Authorization") == "Basic d2F0Y2hlcjpyaWdodC1wYXNzd29yZC01NTI3";
    answer.status = known ? 200 : 401;
    answer.body = known ? "page_requests 5\n" : "who are you?\n";
    return answer;
  }};
  TemporaryFolder folder_;
  std::unique_ptr<PostgresServer> postgres_;
  std::unique_ptr<PgbouncerServer> pgbouncer_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(WrongPasswordTest, IsAReasonThatKeepsTheSecretAndTheRightOneNeedsNoReload) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::map<std::string, std::string> verdicts = {{"postgres", "pg_up"},
                                                       {"pgbouncer", "pgbouncer_up"},
                                                       {"redis", "redis_up"},
                                                       {"http", "probe_success"},
                                                       {"prometheus", "up{job=\"prometheus\"}"}};
  const std::map<std::string, std::string> words = {{"postgres", "password authentication failed"},
                                                    {"pgbouncer", "password authentication failed"},
                                                    {"redis", "WRONGPASS"},
                                                    {"prometheus", "401"}};
  for (const auto& [job, verdict] : verdicts) {
    SCOPED_TRACE(job);
    ASSERT_TRUE(daemon_->WaitForValue(verdict, 0)) << daemon_->Output();
    const bool answers = job == "http";
    EXPECT_EQ(daemon_->Query("up{job=\"" + job + "\"}"), answers ? 1 : 0);
    const auto target = daemon_->FindTarget(job);
    ASSERT_TRUE(target.has_value());
    EXPECT_LT(target->duration_seconds, 2);
    if (answers) continue;
    EXPECT_EQ(target->health, "down");
    EXPECT_NE(target->last_error.find(words.at(job)), std::string::npos) << target->last_error;
  }
  EXPECT_EQ(daemon_->Query("probe_http_status_code"), 401);
  EXPECT_TRUE(daemon_->WaitForValue("up{job=\"host\"}", 1));

  WritePassword(kRight);
  for (const auto& [job, verdict] : verdicts) {
    EXPECT_TRUE(daemon_->WaitForValue(verdict, 1)) << job << "\n" << daemon_->Output();
  }
  EXPECT_EQ(daemon_->Query("page_requests"), 5);
  const std::string shown = daemon_->Output() + daemon_->Get("/api/v1/targets").body +
                            daemon_->Get("/metrics").body +
                            daemon_->Get("/api/v1/status/config").body;
  EXPECT_EQ(shown.find(kWrong), std::string::npos);
  EXPECT_EQ(shown.find(kRight), std::string::npos);
}

}  // namespace
}  // namespace tocsin::testing
