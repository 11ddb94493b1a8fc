#pragma once

// The platform's users: threads that log in, look for a free slot, book, pay and
// look at dashboards, at a steady rate. It also notes what users see (cache hits,
// response times), the demo's measurement beside the daemon's. Thread-safe.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Client;
}

namespace tocsin::demo {

struct LoadOptions {
  int port = 0;            // Of the application, on 127.0.0.1.
  int threads = 12;        // Requests at the same time, at most.
  double per_second = 80;  // All threads together, while the application keeps up.
};

// What users saw within the last seconds.
struct Seen {
  std::int64_t requests = 0;
  std::int64_t failures = 0;  // No answer, or 5xx.
  std::int64_t within_five_seconds = 0;
  std::int64_t cache_hits = 0;
  std::int64_t cache_misses = 0;
};

class LoadGenerator {
 public:
  explicit LoadGenerator(const LoadOptions& options);
  ~LoadGenerator();

  Seen Last(std::chrono::seconds span) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Observation {
    Clock::time_point at;
    bool failed;
    bool quick;
    std::optional<bool> cached;
  };
  struct Answer {
    int status = 0;
    std::string body;
    std::optional<bool> cached;
  };

  void Live(int seed);
  void Act(httplib::Client& client, std::mt19937& random);
  Answer Ask(httplib::Client& client, const char* method, const std::string& path);
  void Observe(const Observation& observation);

  const LoadOptions options_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::deque<Observation> observations_;
  std::deque<std::int64_t> unpaid_;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::demo
