// Work for PostgreSQL: statements that take long, statements that burn the CPU.

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "daemon/base/text.h"
#include "tests/demo/conditions.h"
#include "tests/support/postgres_server.h"

namespace tocsin::demo {
namespace {

using testing::PostgresSession;
using SteadyClock = std::chrono::steady_clock;

// Threads with a session each that repeat something until they are stopped.
class Workers {
 public:
  using Work = std::function<void(PostgresSession&)>;

  ~Workers() { Stop(); }

  Result<> Start(int count, const std::string& dsn, const Work& work) {
    stop_ = false;
    for (int i = 0; i < count; ++i) {
      TOCSIN_ASSIGN_OR_RETURN(std::shared_ptr<PostgresSession> session,
                              PostgresSession::Connect(dsn));
      threads_.emplace_back([this, session, work] {
        while (!stop_) work(*session);
      });
    }
    return {};
  }

  void Stop() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// As the reports that nobody tuned: eight clients that do nothing else.
class Slow : public Condition {
 public:
  Slow(Surroundings surroundings, double seconds)
      : surroundings_(surroundings), seconds_(seconds) {}

  Result<> Begin() override {
    constexpr int kClients = 8;
    return workers_.Start(kClients, surroundings_.servers.BookingDsn(),
                          [seconds = seconds_](PostgresSession& session) {
                            const auto done =
                                session.Execute("SELECT pg_sleep(" + FormatDouble(seconds) + ")");
                            if (!done.ok()) std::this_thread::sleep_for(std::chrono::seconds(1));
                          });
  }

  Result<> End() override {
    workers_.Stop();
    return {};
  }

  std::optional<double> Measure() override { return surroundings_.log.P95(kWindow); }

 private:
  Surroundings surroundings_;
  const double seconds_;
  Workers workers_;
};

// Each worker computes for about kSlice, then rests so that its share of time is
// `duty`; the duty follows what /proc/stat says of the whole host, so that other
// work is made room for.
class Burn : public Condition {
 public:
  Burn(Surroundings surroundings, double percent)
      : surroundings_(surroundings), percent_(percent) {}

  Result<> Begin() override {
    const auto cpus = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    duty_ = percent_ / 100 * kStart;
    return workers_.Start(cpus + 1, surroundings_.servers.postgres().Dsn("dbname=booking"),
                          [this](PostgresSession& session) { ComputeAndRest(session); });
  }

  void Steer() override {
    const auto busy = surroundings_.cpu.BusyPercent(std::chrono::seconds(2));
    const auto now = SteadyClock::now();
    if (!busy || now - steered_ < std::chrono::milliseconds(900)) return;
    steered_ = now;
    constexpr double kGain = 0.003;  // Duty per percent of error, at each step.
    duty_ = std::clamp(duty_ + kGain * (percent_ - *busy), 0.0, 1.0);
  }

  Result<> End() override {
    workers_.Stop();
    return {};
  }

  std::optional<double> Measure() override { return surroundings_.cpu.BusyPercent(kWindow); }

 private:
  static constexpr double kStart = 0.6;  // The rest of the demo needs some as well.
  static constexpr double kSliceSeconds = 0.03;
  static constexpr double kLongestRestSeconds = 0.5;

  void ComputeAndRest(PostgresSession& session) {
    const double duty = duty_;
    double taken = 0;
    if (duty > 0.01) {
      const auto begin = SteadyClock::now();
      const auto done = session.Execute("SELECT sum(sqrt(i)) FROM generate_series(1, 120000) i");
      if (!done.ok()) duty_ = 0;
      taken = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    }
    const double rest = duty > 0.01 ? taken * (1 - duty) / duty : kSliceSeconds;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(rest, kLongestRestSeconds)));
  }

  Surroundings surroundings_;
  const double percent_;
  std::atomic<double> duty_{0};
  SteadyClock::time_point steered_{};
  Workers workers_;
};

}  // namespace

std::unique_ptr<Condition> SlowStatements(Surroundings surroundings, double seconds) {
  return std::make_unique<Slow>(surroundings, seconds);
}

std::unique_ptr<Condition> BurnCpu(Surroundings surroundings, double percent) {
  return std::make_unique<Burn>(surroundings, percent);
}

}  // namespace tocsin::demo
