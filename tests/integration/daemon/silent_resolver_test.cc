// A resolver that never answers: every name costs the system's resolver ten seconds
// or more, and no collection may take longer than its deadline plus one second.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/file_system.h"
#include "tests/integration/daemon/watched_host.h"

namespace tocsin::testing {
namespace {

// A name server on a loopback address of its own that takes questions and is silent.
class SilentNameServer {
 public:
  static constexpr const char* kAddress = "127.77.53.1";

  SilentNameServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    inet_pton(AF_INET, kAddress, &address.sin_addr);
    bound_ = bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~SilentNameServer() { close(fd_); }

  bool bound() const { return bound_; }
  bool WasAsked() const {
    char byte;
    return recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
  }

 private:
  int fd_;
  bool bound_ = false;
};

// What puts /etc/resolv.conf of one process, and of no other, to `path`.
std::vector<std::string> WithResolver(const std::string& path) {
  return {"unshare", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"",
          path};
}

TEST(SilentResolverTest, NamesFailByTheirDeadlineAndAddressesGoOn) {
  SilentNameServer resolver;
  TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.File("resolv.conf");
  ASSERT_TRUE(
      files.WriteAtomically(path, std::string("nameserver ") + SilentNameServer::kAddress + "\n")
          .ok());
  std::vector<std::string> probe = WithResolver(path);
  probe.push_back("true");
  const auto tried = RunProcess({.argv = probe});
  if (!resolver.bound() || !tried.ok() || tried->status != 0) {
    GTEST_SKIP() << "needs root and a mount namespace of its own: "
                 << (tried.ok() ? tried->output : tried.error().message);
  }

  auto redis = RedisServer::Start();
  ASSERT_TRUE(redis.ok()) << redis.error().message;
  const std::string name = "db.booking.example";
  auto started = DaemonProcess::Start(
      "interval: 2s\n"
      "host: [ { name: host } ]\n"
      "postgres: [ { name: postgres, dsn: 'host=" +
          name +
          " user=x dbname=x' } ]\n"
          "pgbouncer: [ { name: pgbouncer, dsn: 'host=" +
          name +
          " user=x dbname=pgbouncer' } ]\n"
          "redis: [ { name: redis, url: 'redis://" +
          name +
          "' }, { name: near, interval: 500ms,"
          " labels: { near: 'yes' }, url: '" +
          (*redis)->Url() +
          "' } ]\n"
          "http: [ { name: http, timeout: 2s, url: 'http://" +
          name +
          "/' } ]\n"
          "prometheus: [ { name: prometheus, url: 'http://" +
          name + "/metrics' } ]\n",
      WithResolver(path));
  ASSERT_TRUE(started.ok()) << started.error().message;
  DaemonProcess& daemon = **started;
  const auto rounds = [&](const std::string& series) {
    return daemon.Query("count_over_time(" + series + "[1m])").value_or(0);
  };
  for (const auto& [job, verdict] :
       {std::pair("postgres", "pg_up"), std::pair("pgbouncer", "pgbouncer_up"),
        std::pair("redis", "redis_up{near=\"\"}"), std::pair("http", "probe_success"),
        std::pair("prometheus", "up{job=\"prometheus\"}")}) {
    SCOPED_TRACE(job);
    // Three rounds: what the first leaves behind must not delay those after it.
    ASSERT_TRUE(WaitUntil([&] { return rounds(verdict) >= 3; }, std::chrono::seconds(30)));
    EXPECT_EQ(daemon.Query(std::string("max_over_time(") + verdict + "[1m])"), 0);
    const auto target = daemon.FindTarget(job);
    ASSERT_TRUE(target.has_value());
    EXPECT_TRUE(job == std::string("http") || target->last_error != "");
    const auto longest = daemon.Query(
        std::string("max(max_over_time(scrape_duration_seconds{job=\"") + job + "\"}[1m]))");
    EXPECT_LE(longest.value_or(99), 3);
  }
  EXPECT_TRUE(resolver.WasAsked());
  EXPECT_EQ(daemon.Query("min_over_time(up{near=\"yes\"}[1m])"), 1);
  EXPECT_GE(rounds("up{near=\"yes\"}"), 8);

  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon.process().Stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace tocsin::testing
