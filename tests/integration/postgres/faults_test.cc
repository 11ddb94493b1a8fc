// Servers that refuse, hang, die or talk nonsense: each collection ends within its
// deadline and one second, and the next good one comes by itself.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <thread>

#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

constexpr milliseconds kTimeout{1000};
constexpr milliseconds kAllowed = kTimeout + milliseconds(1000);

std::unique_ptr<PostgresServer> StartServer(PostgresServerOptions options = {}) {
  auto server = PostgresServer::Start(std::move(options));
  EXPECT_TRUE(server.ok()) << server.error().message;
  return server.ok() ? *std::move(server) : nullptr;
}

// Listens on a port; the kernel accepts, nobody answers unless told to.
class Listener {
 public:
  Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(FreePort()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_, 100), 0);
  }
  ~Listener() { close(socket_); }
  int port() const { return port_; }
  int Accept() { return accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); }
  // How many connections wait to be accepted.
  int Waiting() {
    int count = 0;
    while (true) {
      const int one = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (one < 0) return count;
      close(one);
      ++count;
    }
  }
  void SetNonBlocking() {
    timeval now{0, 1000};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &now, sizeof(now));
  }

 private:
  int socket_;
  int port_;
};

std::string DsnYaml(const std::string& dsn) { return "dsn: \"" + dsn + "\"\n"; }

TEST(PostgresFaultTest, NobodyListens) {
  PostgresTarget target(DsnYaml("host=127.0.0.1 user=x port=" + std::to_string(FreePort())));
  const auto collection = target.Collect(kTimeout);
  ASSERT_FALSE(collection.outcome.ok());
  EXPECT_EQ(collection.outcome.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(collection.outcome.error().message.find("Connection refused"), std::string::npos)
      << collection.outcome.error().message;
  EXPECT_LT(collection.took, kAllowed);
}

TEST(PostgresFaultTest, AServerThatNeverAnswersIsWaitedForOnOneConnection) {
  Listener listener;
  listener.SetNonBlocking();
  PostgresTarget target(DsnYaml("host=127.0.0.1 user=x port=" + std::to_string(listener.port())));
  for (int i = 0; i < 3; ++i) {
    const auto collection = target.Collect(milliseconds(300));
    ASSERT_FALSE(collection.outcome.ok());
    EXPECT_EQ(collection.outcome.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_GE(collection.took, milliseconds(300));
    EXPECT_LT(collection.took, milliseconds(1300));
  }
  EXPECT_EQ(listener.Waiting(), 1);
}

TEST(PostgresFaultTest, NonsenseIsSaidToBeNonsense) {
  Listener listener;
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) {  // libpq may ask twice, with and without TLS.
      const int peer = listener.Accept();
      char bytes[512];
      [[maybe_unused]] const auto got = read(peer, bytes, sizeof(bytes));
      [[maybe_unused]] const auto put = write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
      close(peer);
      if (i == 0 && got > 8) break;
    }
  });
  PostgresTarget target(
      DsnYaml("sslmode=disable host=127.0.0.1 user=x port=" + std::to_string(listener.port())));
  const auto collection = target.Collect(kTimeout);
  server.join();
  ASSERT_FALSE(collection.outcome.ok());
  EXPECT_EQ(collection.outcome.error().code, ErrorCode::kCorruption)
      << collection.outcome.error().message;
  EXPECT_LT(collection.took, kAllowed);
}

TEST(PostgresFaultTest, AWrongPasswordIsSaidWithoutThePassword) {
  const auto server = StartServer({.hba = "host all guarded 127.0.0.1/32 scram-sha-256"});
  ASSERT_TRUE(server->Execute("CREATE ROLE guarded LOGIN PASSWORD 'right'").ok());
  PostgresTarget wrong(DsnYaml(server->Dsn("user=guarded password=hunter2")));
  const auto collection = wrong.Collect(kTimeout);
  ASSERT_FALSE(collection.outcome.ok());
  const Error& error = collection.outcome.error();
  EXPECT_EQ(error.code, ErrorCode::kPermissionDenied);
  EXPECT_NE(error.message.find("password authentication failed"), std::string::npos)
      << error.message;
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
  EXPECT_EQ(error.message.find("28P01"), std::string::npos) << error.message;

  PostgresTarget none(DsnYaml(server->Dsn("user=guarded passfile=/nowhere")));
  EXPECT_EQ(none.Collect(kTimeout).outcome.error().code, ErrorCode::kPermissionDenied);

  PostgresTarget right(DsnYaml(server->Dsn("user=guarded")) + "password: right\n");
  EXPECT_TRUE(right.Collect(seconds(5)).outcome.ok());
}

TEST(PostgresFaultTest, AFullServerRefusesAndIsWatchedAgainOnceThereIsRoom) {
  const auto server = StartServer({.settings = {{"max_connections", "3"},
                                                {"superuser_reserved_connections", "0"},
                                                {"max_wal_senders", "0"}}});
  std::vector<std::unique_ptr<PostgresSession>> all;
  ASSERT_TRUE(WaitUntil([&] {
    auto session = server->Connect();
    if (session.ok()) all.push_back(*std::move(session));
    return all.size() == 3;
  }));
  PostgresTarget target(Yaml(*server));
  const auto refused = target.Collect(kTimeout);
  ASSERT_FALSE(refused.outcome.ok());
  EXPECT_NE(refused.outcome.error().message.find("too many clients"), std::string::npos)
      << refused.outcome.error().message;
  EXPECT_LT(refused.took, kAllowed);
  all.clear();
  EXPECT_TRUE(WaitUntil([&] { return target.Collect(seconds(5)).outcome.ok(); }));
}

TEST(PostgresFaultTest, AStoppedServerCostsItsDeadlineAndComesBack) {
  const auto server = StartServer();
  PostgresTarget kept(Yaml(*server));
  PostgresTarget fresh(Yaml(*server));
  ASSERT_TRUE(kept.Collect(seconds(5)).outcome.ok());
  server->Suspend();
  for (PostgresTarget* target : {&kept, &fresh, &kept}) {
    const auto collection = target->Collect(kTimeout);
    ASSERT_FALSE(collection.outcome.ok());
    EXPECT_EQ(collection.outcome.error().code, ErrorCode::kDeadlineExceeded)
        << collection.outcome.error().message;
    EXPECT_LT(collection.took, kAllowed);
  }
  server->Resume();
  for (PostgresTarget* target : {&kept, &fresh}) {
    const auto collection = target->Collect(seconds(5));
    EXPECT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
  }
  // What was left hanging has noticed: one connection for each target.
  EXPECT_TRUE(WaitUntil([&] {
    const auto rows =
        server->Execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tocsin'");
    return rows.ok() && rows->at(0).at(0) == "2";
  }));
  EXPECT_EQ(kept.Collect(seconds(5)).Value("tocsin_postgres_hung_backends"), 0);
}

std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

// Where postgres_exporter leaves one behind at each scrape.
TEST(PostgresFaultTest, AStoppedServerCostsNoDescriptorHoweverOftenItIsAsked) {
  const auto server = StartServer();
  PostgresTarget kept(Yaml(*server));
  PostgresTarget fresh(Yaml(*server));
  ASSERT_TRUE(kept.Collect(seconds(5)).outcome.ok());
  server->Suspend();
  const auto ask_both = [&] {
    for (PostgresTarget* target : {&kept, &fresh}) {
      EXPECT_FALSE(target->Collect(milliseconds(50)).outcome.ok());
    }
  };
  ask_both();  // The kept connection is given up,
  ask_both();  // and the one that takes its place waits from here on.
  const std::size_t before = OpenDescriptors();
  for (int i = 0; i < 60; ++i) ask_both();
  EXPECT_EQ(OpenDescriptors(), before);
  server->Resume();
}

// Makes one subject sleep within its query.
std::unique_ptr<PostgresServer> StartServerWithSleepingArchiver() {
  auto server = StartServer();
  const auto made = server->Execute(
      "SET allow_system_table_mods = on;"
      "CREATE OR REPLACE VIEW pg_catalog.pg_stat_archiver AS"
      " SELECT s.* FROM pg_stat_get_archiver() s, pg_sleep(60)");
  EXPECT_TRUE(made.ok()) << made.error().message;
  return server;
}

bool IsAsleep(PostgresServer& server) {
  const auto rows = server.Execute(
      "SELECT count(*) FROM pg_stat_activity"
      " WHERE application_name = 'tocsin' AND wait_event = 'PgSleep'");
  return rows.ok() && rows->at(0).at(0) == "1";
}

TEST(PostgresFaultTest, ASlowQueryIsCancelledAndCostsOnlyItself) {
  const auto server = StartServerWithSleepingArchiver();
  PostgresTarget target(Yaml(*server));
  for (int i = 0; i < 2; ++i) {
    const auto collection = target.Collect(seconds(3));
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_LT(collection.took, seconds(3));
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "stat_archiver"}}), 0);
    EXPECT_EQ(collection.Value("pg_scrape_collector_success", {{"collector", "wal"}}), 1);
    EXPECT_NE(collection.Notes().find("stat_archiver: canceling statement due to"),
              std::string::npos)
        << collection.Notes();
  }
}

// As VACUUM FULL pg_class takes it: without a lock timeout all hangs until it goes.
TEST(PostgresFaultTest, ALockOnTheCatalogIsLeftInTime) {
  const auto server = StartServer();
  PostgresTarget target(Yaml(*server));
  ASSERT_TRUE(target.Collect(seconds(5)).outcome.ok());
  auto holder = server->Connect();
  ASSERT_TRUE(holder.ok()) << holder.error().message;
  ASSERT_TRUE((*holder)->Execute("BEGIN; LOCK TABLE pg_class IN ACCESS EXCLUSIVE MODE").ok());
  for (int i = 0; i < 3; ++i) EXPECT_LT(target.Collect(kTimeout).took, kAllowed);
  const auto connections = (*holder)->Execute(
      "SELECT count(*) <= 2 FROM pg_stat_activity WHERE application_name = 'tocsin'");
  ASSERT_TRUE(connections.ok()) << connections.error().message;
  EXPECT_EQ(connections->at(0).at(0), "t") << "connections pile up behind the lock";
  ASSERT_TRUE((*holder)->Execute("ROLLBACK").ok());
  EXPECT_TRUE(WaitUntil([&] { return target.Collect(seconds(5)).outcome.ok(); }));
}

TEST(PostgresFaultTest, AServerStoppedInMidQueryIsLeftInTime) {
  const auto server = StartServerWithSleepingArchiver();
  PostgresTarget target(Yaml(*server));
  std::thread stopper([&] {
    EXPECT_TRUE(WaitUntil([&] { return IsAsleep(*server); }));
    server->Suspend();
  });
  const auto collection = target.Collect(seconds(2));
  stopper.join();
  ASSERT_FALSE(collection.outcome.ok());
  EXPECT_EQ(collection.outcome.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_NE(collection.outcome.error().message.find("stat_archiver: "), std::string::npos)
      << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(3));
  server->Resume();
  EXPECT_TRUE(WaitUntil([&] { return target.Collect(seconds(2)).outcome.ok(); }));
}

TEST(PostgresFaultTest, AServerThatDiesInMidQueryIsSaidAtOnce) {
  const auto server = StartServerWithSleepingArchiver();
  PostgresTarget target(Yaml(*server));
  std::thread killer([&] {
    EXPECT_TRUE(WaitUntil([&] { return IsAsleep(*server); }));
    server->Stop(PostgresServer::How::kImmediate);
  });
  const auto collection = target.Collect(seconds(10));
  killer.join();
  ASSERT_FALSE(collection.outcome.ok());
  EXPECT_EQ(collection.outcome.error().code, ErrorCode::kUnavailable)
      << collection.outcome.error().message;
  EXPECT_LT(collection.took, seconds(6));
}

TEST(PostgresFaultTest, AServerThatDiesAndRestartsIsWatchedAgainAtOnce) {
  const auto server = StartServer();
  PostgresTarget target(Yaml(*server));
  ASSERT_TRUE(target.Collect(seconds(5)).outcome.ok());
  server->Stop(PostgresServer::How::kImmediate);
  const auto down = target.Collect(kTimeout);
  ASSERT_FALSE(down.outcome.ok());
  EXPECT_EQ(down.outcome.error().code, ErrorCode::kUnavailable);
  EXPECT_LT(down.took, kAllowed);
  ASSERT_TRUE(server->StartAgain().ok());
  const auto up = target.Collect(seconds(5));
  EXPECT_TRUE(up.outcome.ok()) << up.outcome.error().message;

  // Restarted between two collections: the second one does not see it at all.
  server->Stop();
  ASSERT_TRUE(server->StartAgain().ok());
  const auto again = target.Collect(seconds(5));
  EXPECT_TRUE(again.outcome.ok()) << again.outcome.error().message;
}

TEST(PostgresFaultTest, AKilledBackendIsReplaced) {
  const auto server = StartServer();
  PostgresTarget target(Yaml(*server));
  ASSERT_TRUE(target.Collect(seconds(5)).outcome.ok());
  ASSERT_TRUE(server
                  ->Execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                            " WHERE application_name = 'tocsin'")
                  .ok());
  const auto collection = target.Collect(seconds(5));
  EXPECT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
}

TEST(PostgresFaultTest, AskingToStopEndsACollectionAtOnce) {
  Listener listener;
  PostgresTarget target(DsnYaml("host=127.0.0.1 user=x port=" + std::to_string(listener.port())));
  std::stop_source source;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(50));
    source.request_stop();
  });
  const auto collection = target.Collect(seconds(30), source.get_token());
  stopper.join();
  EXPECT_EQ(collection.outcome.error().code, ErrorCode::kCancelled);
  EXPECT_LT(collection.took, seconds(2));
}

TEST(PostgresFaultTest, OfSeveralServersTheOneThatAnswersIsWatched) {
  const auto server = StartServer();
  Listener silent;
  const std::string dsn = "host=127.0.0.1,localhost port=" + std::to_string(silent.port()) + "," +
                          std::to_string(server->port()) + " user=postgres dbname=postgres";
  PostgresTarget target(DsnYaml(dsn));
  const auto collection = target.Collect(seconds(4));
  EXPECT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
}

TEST(PostgresFaultTest, ANameThatDoesNotExistIsSaid) {
  PostgresTarget target(DsnYaml("host=no-such-host.invalid user=x"));
  const auto collection = target.Collect(kTimeout);
  ASSERT_FALSE(collection.outcome.ok());
  EXPECT_NE(collection.outcome.error().message.find("no-such-host.invalid"), std::string::npos)
      << collection.outcome.error().message;
  EXPECT_LT(collection.took, kAllowed);
}

}  // namespace
}  // namespace tocsin::testing
