// A server that is stopped, or whose process stands still (SIGSTOP): what the daemon
// says of it, in what time, and that all the others go on.

#include "tests/integration/daemon/watched_host.h"

namespace tocsin::testing {
namespace {

class DeadTargetTest : public WatchedHost {
 protected:
  void Walk(const std::string& patient, const std::function<void()>& stop,
            const std::function<Result<>()>& start, const std::function<void()>& suspend,
            const std::function<void()>& resume) {
    WalkThrough(patient, "stopped", stop, [&] {
      const auto started = start();
      EXPECT_TRUE(started.ok()) << started.error().message;
    });
    WalkThrough(patient, "SIGSTOP", suspend, resume);
  }
};

TEST_F(DeadTargetTest, PostgresDiesAndComesBackAndNobodyElseNotices) {
  ASSERT_NO_FATAL_FAILURE(Start("postgres", Way::kDirect));
  Walk(
      "postgres", [&] { postgres_->Stop(PostgresServer::How::kImmediate); },
      [&] { return postgres_->StartAgain(); }, [&] { postgres_->Suspend(); },
      [&] { postgres_->Resume(); });
}

TEST_F(DeadTargetTest, PgbouncerDiesAndComesBackAndNobodyElseNotices) {
  ASSERT_NO_FATAL_FAILURE(Start("pgbouncer", Way::kDirect));
  Walk(
      "pgbouncer", [&] { pgbouncer_->Stop(); }, [&] { return pgbouncer_->StartAgain(); },
      [&] { pgbouncer_->Suspend(); }, [&] { pgbouncer_->Resume(); });
}

TEST_F(DeadTargetTest, RedisDiesAndComesBackAndNobodyElseNotices) {
  ASSERT_NO_FATAL_FAILURE(Start("redis", Way::kDirect));
  Walk(
      "redis", [&] { redis_->Stop(); }, [&] { return redis_->StartAgain(); },
      [&] { redis_->Suspend(); }, [&] { redis_->Resume(); });
}

TEST_F(DeadTargetTest, AHealthEndpointDiesAndComesBackAndNobodyElseNotices) {
  ASSERT_NO_FATAL_FAILURE(Start("http", Way::kDirect));
  Walk(
      "http", [&] { health_->process().Stop(); }, [&] { return health_->StartAgain(); },
      [&] { health_->process().Signal(SIGSTOP); }, [&] { health_->process().Signal(SIGCONT); });
}

TEST_F(DeadTargetTest, ATextPageDiesAndComesBackAndNobodyElseNotices) {
  ASSERT_NO_FATAL_FAILURE(Start("prometheus", Way::kDirect));
  Walk(
      "prometheus", [&] { page_->process().Stop(); }, [&] { return page_->StartAgain(); },
      [&] { page_->process().Signal(SIGSTOP); }, [&] { page_->process().Signal(SIGCONT); });
}

}  // namespace
}  // namespace tocsin::testing
