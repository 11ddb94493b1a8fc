// How a target logs in: a password that is changed while we run, libpq's password file,
// and certificates in both directions.

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/integration/postgres/collector_fixture.h"
#include "tests/support/self_signed_certificate.h"

namespace tocsin::testing {
namespace {

class PostgresLoginTest : public ::testing::Test {
 protected:
  static std::unique_ptr<PostgresServer> Server(PostgresServerOptions options) {
    auto started = PostgresServer::Start(std::move(options));
    EXPECT_TRUE(started.ok()) << started.error().message;
    return started.ok() ? *std::move(started) : nullptr;
  }

  static void Execute(PostgresServer& server, const std::string& sql) {
    const auto done = server.Execute(sql);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  // A file that only its owner may read, as libpq asks of keys and passwords.
  std::string File(const std::string& name, const std::string& content) {
    const std::string path = folder_.File(name);
    std::ofstream(path) << content;
    EXPECT_EQ(chmod(path.c_str(), S_IRUSR | S_IWUSR), 0);
    return path;
  }

  static std::string Dsn(const PostgresServer& server, const std::string& more) {
    return "dsn: \"" + server.Dsn(more) + "\"\n";
  }

  TemporaryFolder folder_;
};

class PostgresPasswordTest : public PostgresLoginTest {
 protected:
  void SetUp() override {
    server_ = Server({.hba = "host all watcher 127.0.0.1/32 scram-sha-256"});
    ASSERT_NE(server_, nullptr);
    Execute(*server_, "CREATE ROLE watcher LOGIN PASSWORD 'before'; GRANT pg_monitor TO watcher");
    Execute(*server_, "CREATE DATABASE shop");
  }

  // In the server, where nobody stays that logged in with the old one.
  void ChangePassword() {
    Execute(*server_, "ALTER ROLE watcher PASSWORD 'after'");
    Execute(*server_,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'watcher'");
  }

  static void ExpectSuccess(const Collection& collection) {
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
    EXPECT_EQ(collection.Value("tocsin_postgres_database_up", {{"datname", "shop"}}), 1);
  }

  std::unique_ptr<PostgresServer> server_;
};

TEST_F(PostgresPasswordTest, AChangedPasswordCostsNoPoll) {
  const std::string file = File("password", "before\n");
  PostgresTarget target(Dsn(*server_, "user=watcher") + "password_file: " + file + "\n");
  ExpectSuccess(target.Collect());
  File("password", "after\n");
  ExpectSuccess(target.Collect());  // The connection that is kept asks for no password.
  ChangePassword();
  for (int i = 0; i < 3; ++i) {
    target.Advance(seconds(60));
    ExpectSuccess(target.Collect());
  }
}

TEST_F(PostgresPasswordTest, OneThatIsChangedInTheServerFirstIsTakenOnceItsFileHasIt) {
  const std::string file = File("password", "before\n");
  PostgresTarget target(Dsn(*server_, "user=watcher") + "password_file: " + file + "\n");
  ExpectSuccess(target.Collect());
  ChangePassword();
  File("password", "");  // Half written.
  const auto refused = target.Collect();
  ASSERT_FALSE(refused.outcome.ok());
  EXPECT_EQ(refused.outcome.error().code, ErrorCode::kPermissionDenied)
      << refused.outcome.error().message;
  File("password", "after\n");
  target.Advance(seconds(60));
  ExpectSuccess(target.Collect());
}

TEST_F(PostgresPasswordTest, ATargetWithoutOneUsesLibpqsPasswordFile) {
  const std::string line = "127.0.0.1:" + std::to_string(server_->port()) + ":*:watcher:";
  const std::string file = File("pgpass", line + "before\n");
  ASSERT_EQ(setenv("PGPASSFILE", file.c_str(), 1), 0);
  PostgresTarget target(Dsn(*server_, "user=watcher"));
  ExpectSuccess(target.Collect());
  File("pgpass", line + "after\n");
  ChangePassword();
  target.Advance(seconds(60));
  ExpectSuccess(target.Collect());
  ASSERT_EQ(unsetenv("PGPASSFILE"), 0);
}

class PostgresTlsTest : public PostgresLoginTest {
 protected:
  // Certificates are for localhost; so is the role, for its name is compared with them.
  void SetUp() override {
    server_ = Server({.settings = {{"ssl", "on"}, {"ssl_ca_file", "'clients.crt'"}},
                      .files = {{"server.key", servers_.key_pem},
                                {"server.crt", servers_.certificate_pem},
                                {"clients.crt", clients_.certificate_pem}},
                      .hba = "hostssl all localhost 127.0.0.1/32 trust clientcert=verify-full"});
    ASSERT_NE(server_, nullptr);
    Execute(*server_, "CREATE ROLE localhost LOGIN; GRANT pg_monitor TO localhost");
  }

  // Verifies the server, reached under `host`, with `roots`.
  std::string Verified(const std::string& host, const SelfSignedCertificate& roots,
                       const std::string& more = {}) {
    return Dsn(*server_, "host=" + host + " hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=" +
                             File("root.crt", roots.certificate_pem) + " " + more);
  }

  std::string WithCertificate(const SelfSignedCertificate& certificate) {
    return Verified("localhost", servers_,
                    "user=localhost sslcert=" + File("own.crt", certificate.certificate_pem) +
                        " sslkey=" + File("own.key", certificate.key_pem));
  }

  // Why the target is not reached.
  static std::string Refusal(const std::string& yaml) {
    PostgresTarget target(yaml);
    EXPECT_EQ(target.errors(), "");
    const auto collection = target.Collect();
    return collection.outcome.ok() ? "it is reached" : collection.outcome.error().message;
  }

  const SelfSignedCertificate servers_ = MakeSelfSignedCertificate(std::chrono::hours(24));
  const SelfSignedCertificate clients_ = MakeSelfSignedCertificate(std::chrono::hours(24));
  std::unique_ptr<PostgresServer> server_;
};

TEST_F(PostgresTlsTest, AServerIsVerifiedByItsRootAndItsName) {
  PostgresTarget target(Verified("localhost", servers_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_GE(collection.Value("tocsin_postgres_tls_connections"), 1);

  const std::string wrong_root = Refusal(Verified("localhost", clients_));
  EXPECT_NE(wrong_root.find("certificate verify failed"), std::string::npos) << wrong_root;
  const std::string wrong_name = Refusal(Verified("db.example.org", servers_));
  EXPECT_NE(wrong_name.find("does not match host name \"db.example.org\""), std::string::npos)
      << wrong_name;
}

TEST_F(PostgresTlsTest, AServerThatAsksForACertificateIsShownOurs) {
  PostgresTarget target(WithCertificate(clients_));
  const auto collection = target.Collect();
  ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();

  const std::string none = Refusal(Verified("localhost", servers_, "user=localhost"));
  EXPECT_NE(none.find("requires a valid client certificate"), std::string::npos) << none;
  const std::string strange = Refusal(WithCertificate(servers_));
  EXPECT_NE(strange.find("SSL error"), std::string::npos) << strange;
}

// What a certificate's owner does when it ends: no reload either.
TEST_F(PostgresTlsTest, ACertificateThatIsExchangedIsTakenAtTheNextConnection) {
  PostgresTarget target(WithCertificate(clients_));
  ASSERT_TRUE(target.Collect().outcome.ok());
  const auto next = MakeSelfSignedCertificate(std::chrono::hours(24));
  const std::string clients = server_->data_folder() + "/clients.crt";
  std::ofstream(clients) << next.certificate_pem;
  Execute(*server_, "SELECT pg_reload_conf()");
  File("own.crt", next.certificate_pem);
  File("own.key", next.key_pem);
  Execute(*server_,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'localhost'");
  EXPECT_TRUE(WaitUntil([&] { return target.Collect().outcome.ok(); }));
}

}  // namespace
}  // namespace tocsin::testing
