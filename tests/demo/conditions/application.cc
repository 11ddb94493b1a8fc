// A cache that is flushed again and again, and an application that stalls.

#include <hiredis/hiredis.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "tests/demo/conditions.h"
#include "tests/demo/web.h"

namespace tocsin::demo {
namespace {

using SteadyClock = std::chrono::steady_clock;

// After each flush every key in use is missed once. Users see how many misses a
// flush costs; the pause between flushes follows from that and the rate wanted.
class Flush : public Condition {
 public:
  Flush(Surroundings surroundings, double percent)
      : surroundings_(surroundings), miss_share_(1 - percent / 100) {}

  Result<> Begin() override {
    redis_.reset(redisConnect("127.0.0.1", surroundings_.servers.redis_port()));
    if (!redis_ || redis_->err != 0) return Error{ErrorCode::kUnavailable, "redis: no connection"};
    begun_ = SteadyClock::now();
    return {};
  }

  void Steer() override {
    const auto now = SteadyClock::now();
    Adapt(now);
    while (next_flush_ <= now) {
      FlushOnce();
      next_flush_ = std::max(next_flush_ + pause_, now - pause_);
    }
  }

  Result<> End() override {
    redis_.reset();
    return {};
  }

  std::optional<double> Measure() override {
    const auto seen = surroundings_.load.Last(kWindow);
    const auto lookups = seen.cache_hits + seen.cache_misses;
    if (lookups == 0) return std::nullopt;
    return 100.0 * static_cast<double>(seen.cache_hits) / static_cast<double>(lookups);
  }

 private:
  using Pause = SteadyClock::duration;
  static constexpr std::chrono::seconds kLearning{4};  // Over which the cost of a flush is seen.

  // The miss share wanted is (misses a flush costs) / (lookups between flushes).
  void Adapt(SteadyClock::time_point now) {
    if (now - begun_ < kLearning || now - adapted_ < std::chrono::seconds(2)) return;
    adapted_ = now;
    const auto seen = surroundings_.load.Last(kLearning);
    const auto lookups = static_cast<double>(seen.cache_hits + seen.cache_misses);
    if (lookups < 20) return;
    const double seconds = std::chrono::duration<double>(pause_).count();
    const double share = static_cast<double>(seen.cache_misses) / lookups;
    const double corrected = seconds * std::clamp(share / miss_share_, 0.7, 1.4);
    pause_ = std::chrono::duration_cast<Pause>(
        std::chrono::duration<double>(std::clamp(corrected, 0.05, 5.0)));
  }

  void FlushOnce() {
    void* reply = redisCommand(redis_.get(), "FLUSHDB");
    if (reply != nullptr) freeReplyObject(reply);
  }

  struct Close {
    void operator()(redisContext* context) const { redisFree(context); }
  };

  Surroundings surroundings_;
  const double miss_share_;
  std::unique_ptr<redisContext, Close> redis_;
  Pause pause_ = std::chrono::milliseconds(1000);
  SteadyClock::time_point begun_{};
  SteadyClock::time_point adapted_{};
  SteadyClock::time_point next_flush_{SteadyClock::now()};
};

// Asks /health about once a second, one request at a time, as a probe does.
class OwnProbe {
 public:
  explicit OwnProbe(int port) : thread_([this, port] { Ask(port); }) {}
  ~OwnProbe() {
    stop_ = true;
    thread_.join();
  }

  std::optional<double> PercentWithinFiveSeconds() {
    const std::lock_guard lock(mutex_);
    const auto since = SteadyClock::now() - kWindow;
    std::erase_if(answers_, [&](const auto& answer) { return answer.first < since; });
    if (answers_.empty()) return std::nullopt;
    const auto quick = std::count_if(answers_.begin(), answers_.end(),
                                     [](const auto& answer) { return answer.second; });
    return 100.0 * static_cast<double>(quick) / static_cast<double>(answers_.size());
  }

 private:
  void Ask(int port) {
    while (!stop_) {
      const auto answer = WebGet(port, "/health", std::chrono::seconds(10));
      {
        const std::lock_guard lock(mutex_);
        answers_.emplace_back(SteadyClock::now(), answer.ok() && answer->seconds <= 5);
      }
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::pair<SteadyClock::time_point, bool>> answers_;
  std::thread thread_;
};

class Stall : public Condition {
 public:
  Stall(Surroundings surroundings, int seconds, bool measure_probes)
      : surroundings_(surroundings), seconds_(seconds) {
    if (measure_probes) probe_.emplace(surroundings_.servers.application_port());
  }

  Result<> Begin() override { return Tell(seconds_); }
  Result<> End() override { return Tell(0); }

  // The share that was answered within five seconds: of probes, or of users' requests.
  std::optional<double> Measure() override {
    if (probe_) return probe_->PercentWithinFiveSeconds();
    const auto seen = surroundings_.load.Last(kWindow);
    if (seen.requests == 0) return std::nullopt;
    return 100.0 * static_cast<double>(seen.within_five_seconds) /
           static_cast<double>(seen.requests);
  }

 private:
  Result<> Tell(int seconds) {
    const auto answer = WebPost(surroundings_.servers.application_port(),
                                "/debug/stall?seconds=" + std::to_string(seconds));
    if (!answer.ok()) return answer.error();
    return {};
  }

  Surroundings surroundings_;
  const int seconds_;
  std::optional<OwnProbe> probe_;
};

}  // namespace

std::unique_ptr<Condition> FlushCache(Surroundings surroundings, double percent) {
  return std::make_unique<Flush>(surroundings, percent);
}

std::unique_ptr<Condition> StallApplication(Surroundings surroundings, int seconds,
                                            bool measure_probes) {
  return std::make_unique<Stall>(surroundings, seconds, measure_probes);
}

}  // namespace tocsin::demo
