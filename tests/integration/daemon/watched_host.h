#pragma once

// A database host as the daemon finds one: a real server of every kind and one
// daemon that watches them all. One kind is the patient: it is polled slowly with
// as long a deadline, so that whoever waits for it is late; all others are polled
// often, and must not notice.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/daemon_process.h"
#include "tests/support/faulty_relay.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

namespace tocsin::testing {

struct WatchedKind {
  std::string job;      // Also the section of the configuration.
  std::string up;       // The series that says whether it answers.
  std::string verdict;  // The kind's own.
  std::string witness;  // A series that only an answer brings.
};

inline const std::vector<WatchedKind>& WatchedKinds() {
  static const std::vector<WatchedKind> kinds = {
      {"postgres", "up{job=\"postgres\"}", "pg_up", "pg_settings_max_connections"},
      {"pgbouncer", "up{job=\"pgbouncer\"}", "pgbouncer_up", "pgbouncer_databases_pool_size"},
      {"redis", "up{job=\"redis\"}", "redis_up", "redis_connected_clients"},
      // That a probe fails is an answer: `up` stays 1.
      {"http", "probe_success", "probe_success", ""},
      {"prometheus", "up{instance=~\".*\",job=\"prometheus\",exported_job=\"\"}",
       "up{job=\"prometheus\",exported_job=\"\"}",
       "up{job=\"prometheus\",exported_job=\"tocsin\"}"},
      {"host", "up{job=\"host\"}", "up{job=\"host\"}", "node_load1"},
  };
  return kinds;
}

inline const WatchedKind& KindOf(const std::string& job) {
  for (const auto& kind : WatchedKinds()) {
    if (kind.job == job) return kind;
  }
  ADD_FAILURE() << "no kind " << job;
  return WatchedKinds().front();
}

class WatchedHost : public ::testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kPatientTimeout{2500};  // And its interval.
  static constexpr std::chrono::milliseconds kInterval{800};
  // One sample may be missed on a busy machine; two are a wait for the patient.
  static constexpr std::chrono::milliseconds kMostGap = kPatientTimeout - Millis(100);

  enum class Way { kDirect, kThroughRelays };

  // Starts everything and waits until all is well.
  void Start(const std::string& patient, Way way) {
    auto postgres = PostgresServer::Start();
    ASSERT_TRUE(postgres.ok()) << postgres.error().message;
    postgres_ = *std::move(postgres);
    auto pgbouncer = PgbouncerServer::Start(
        {.databases = {{"app", "host=127.0.0.1 port=" + std::to_string(postgres_->port())}}});
    ASSERT_TRUE(pgbouncer.ok()) << pgbouncer.error().message;
    pgbouncer_ = *std::move(pgbouncer);
    auto redis = RedisServer::Start();
    ASSERT_TRUE(redis.ok()) << redis.error().message;
    redis_ = *std::move(redis);
    // Two more of the program: one's health and the other's numbers are watched.
    for (auto* other : {&health_, &page_}) {
      auto started = DaemonProcess::Start("interval: 1s\n");
      ASSERT_TRUE(started.ok()) << started.error().message;
      *other = *std::move(started);
    }
    if (way == Way::kThroughRelays) {
      relay_ = std::make_unique<FaultyRelay>(PortOf(patient));
    }
    auto daemon = DaemonProcess::Start(Config(patient));
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    for (const auto& kind : WatchedKinds()) {
      ASSERT_TRUE(daemon_->WaitForValue(kind.verdict, 1)) << kind.job << "\n" << daemon_->Output();
    }
  }

  // The kinds besides the patient, sampled at their interval and found up from
  // `since_ms` until now.
  void ExpectOthersUntouched(const std::string& patient, std::int64_t since_ms) {
    const auto window = std::to_string((NowMs() - since_ms) / 1000 + 1) + "s";
    for (const auto& kind : WatchedKinds()) {
      if (kind.job == patient) continue;
      auto series = daemon_->Samples(kind.up + "[" + window + "]");
      series.resize(1);  // None, if that was too short a time to be polled.
      std::int64_t last_ms = since_ms;
      for (const auto& sample : series[0]) {
        EXPECT_EQ(sample.value, 1) << kind.job << " at " << sample.time_ms - since_ms << " ms";
        EXPECT_LT(sample.time_ms - last_ms, kMostGap.count()) << kind.job << " waited";
        last_ms = sample.time_ms;
      }
      EXPECT_LT(NowMs() - last_ms, kMostGap.count()) << kind.job << " stands still";
    }
  }

  // The patient is dead, it is said why, and it took no longer than it may.
  void ExpectDead(const std::string& patient) {
    const WatchedKind& kind = KindOf(patient);
    ASSERT_TRUE(daemon_->WaitForValue(kind.verdict, 0)) << daemon_->Output();
    // What is said of a target follows its samples.
    ASSERT_TRUE(patient == "http" ? WaitForReason(patient)
                                  : daemon_->WaitForHealth(patient, "down"))
        << "no reason is given";
    const auto target = daemon_->FindTarget(patient);
    ASSERT_TRUE(target.has_value());
    if (patient == "http") {
      EXPECT_EQ(daemon_->Query("up{job=\"http\"}"), 1);
      EXPECT_EQ(daemon_->Query("count(tocsin_probe_failure_info)"), 1);
    } else {
      EXPECT_EQ(daemon_->Query(kind.up), 0);
      EXPECT_NE(target->last_error, "");
      EXPECT_FALSE(HasWitness(kind)) << "not marked stale";
    }
    reasons_.push_back(target->last_error);
    const std::string labels = "{job=\"" + patient + "\",exported_job=\"\"}";
    const auto longest = daemon_->Query("max_over_time(scrape_duration_seconds" + labels + "[1m])");
    ASSERT_TRUE(longest.has_value());
    const double limit_seconds = std::chrono::duration<double>(kPatientTimeout).count() + 1;
    EXPECT_LE(*longest, limit_seconds);
    EXPECT_LE(target->duration_seconds, limit_seconds);
  }

  bool WaitForReason(const std::string& patient) {
    return WaitUntil([&] {
      const auto target = daemon_->FindTarget(patient);
      return target && target->last_error + target->notes != "[]";
    });
  }

  void ExpectRecovered(const std::string& patient) {
    const WatchedKind& kind = KindOf(patient);
    EXPECT_TRUE(daemon_->WaitForValue(kind.verdict, 1)) << daemon_->Output();
    EXPECT_EQ(daemon_->Query(kind.up), 1);
    EXPECT_TRUE(kind.witness.empty() || HasWitness(kind));
  }

  bool HasWitness(const WatchedKind& kind) {
    return daemon_->Query("count(" + kind.witness + ")").has_value();
  }

  // Makes the patient sick and well again, and checks all that is promised meanwhile.
  void WalkThrough(const std::string& patient, const std::string& trouble,
                   const std::function<void()>& strike, const std::function<void()>& heal) {
    SCOPED_TRACE(patient + ": " + trouble);
    const std::int64_t since_ms = NowMs();
    strike();
    ExpectDead(patient);
    heal();
    ExpectRecovered(patient);
    ExpectOthersUntouched(patient, since_ms);
    if (!reasons_.empty()) RecordProperty(trouble, reasons_.back());
  }

  static std::int64_t NowMs() {
    return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  int PortOf(const std::string& job) const {
    if (job == "postgres") return postgres_->port();
    if (job == "pgbouncer") return pgbouncer_->port();
    if (job == "redis") return redis_->port();
    return job == "http" ? health_->port() : page_->port();
  }

  std::string Config(const std::string& patient) const {
    const auto address = [&](const std::string& job) {
      return std::to_string(relay_ && job == patient ? relay_->port() : PortOf(job));
    };
    const std::map<std::string, std::string> where = {
        {"postgres", "dsn: '" + postgres_->Dsn("port=" + address("postgres")) + "'"},
        {"pgbouncer", "password: stats-password, dsn: '" +
                          pgbouncer_->ConsoleDsn("port=" + address("pgbouncer")) + "'"},
        {"redis", "url: 'redis://127.0.0.1:" + address("redis") + "'"},
        {"http", "url: 'http://127.0.0.1:" + address("http") + "/-/healthy'"},
        {"prometheus", "url: 'http://127.0.0.1:" + address("prometheus") + "/metrics'"},
    };
    const std::string slow = std::to_string(kPatientTimeout.count()) + "ms";
    const std::string fast = std::to_string(kInterval.count()) + "ms";
    std::string config = "interval: " + fast + "\nhost: [ { name: host } ]\n";
    for (const auto& [job, place] : where) {
      const std::string& every = job == patient ? slow : fast;
      config += job + ": [ { name: " + job + ", interval: " + every + ", timeout: " + every + ", " +
                place + " } ]\n";
    }
    return config;
  }

  std::unique_ptr<PostgresServer> postgres_;
  std::unique_ptr<PgbouncerServer> pgbouncer_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<DaemonProcess> health_;
  std::unique_ptr<DaemonProcess> page_;
  std::unique_ptr<FaultyRelay> relay_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::vector<std::string> reasons_;
};

}  // namespace tocsin::testing
