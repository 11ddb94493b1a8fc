#include "tests/demo/load/load_generator.h"

#include <httplib.h>

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

namespace tocsin::demo {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kRequestLimit{20};
constexpr std::chrono::seconds kQuick{5};
constexpr std::chrono::minutes kKept{2};
constexpr std::size_t kMaxUnpaid = 1'000;
constexpr int kBarbers = 10;
constexpr int kPopularDays = 2;    // Most people ask for today and tomorrow,
constexpr int kBookableDays = 60;  // but book whenever it suits them.
constexpr int kConcurrentUsers = 300;

// How often each is done, of 100.
constexpr int kLogin = 8;
constexpr int kBooking = kLogin + 8;
constexpr int kPayment = kBooking + 5;
constexpr int kDashboard = kPayment + 9;

int Pick(std::mt19937& random, int count) {
  return static_cast<int>(random() % static_cast<unsigned>(count));
}

std::string Day(int days_from_now) {
  const std::time_t at = std::time(nullptr) + static_cast<std::time_t>(days_from_now) * 86'400;
  std::tm parts{};
  localtime_r(&at, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

std::string StartsAt(std::mt19937& random) {
  std::array<char, 8> clock{};
  std::snprintf(clock.data(), clock.size(), "%02u:%02u", 9 + Pick(random, 9) % 9U,
                15 * (Pick(random, 4) % 4U));
  return Day(1 + Pick(random, kBookableDays)) + "%20" + clock.data();
}

}  // namespace

LoadGenerator::LoadGenerator(const LoadOptions& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { Live(i + 1); });
}

LoadGenerator::~LoadGenerator() {
  stop_ = true;
  for (auto& thread : threads_) thread.join();
}

void LoadGenerator::Live(int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  httplib::Client client("127.0.0.1", options_.port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  client.set_read_timeout(kRequestLimit);
  std::exponential_distribution<double> pause(options_.per_second / options_.threads);
  auto next = Clock::now();
  while (!stop_) {
    next +=
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause(random)));
    // Who had to wait does not hurry afterwards.
    if (next < Clock::now() - std::chrono::seconds(1)) next = Clock::now();
    while (!stop_ && Clock::now() < next) {
      std::this_thread::sleep_for(
          std::min<Clock::duration>(next - Clock::now(), std::chrono::milliseconds(100)));
    }
    if (!stop_) Act(client, random);
  }
}

void LoadGenerator::Act(httplib::Client& client, std::mt19937& random) {
  const int what = Pick(random, 100);
  const std::string user = std::to_string(1 + Pick(random, kConcurrentUsers));
  const std::string barber = std::to_string(1 + Pick(random, kBarbers));
  if (what < kLogin) {
    Ask(client, "POST", "/login?email=user" + user + "@booking.example&password=secret" + user);
  } else if (what < kBooking) {
    const auto answer =
        Ask(client, "POST",
            "/booking?user=" + user + "&barber=" + barber + "&starts_at=" + StartsAt(random));
    const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
    if (answer.status == 201 && body.is_object()) {
      const std::lock_guard lock(mutex_);
      unpaid_.push_back(body.value("appointment", std::int64_t{0}));
      if (unpaid_.size() > kMaxUnpaid) unpaid_.pop_front();
    }
  } else if (what < kPayment) {
    std::int64_t appointment = 0;
    {
      const std::lock_guard lock(mutex_);
      if (unpaid_.empty()) return;
      appointment = unpaid_.front();
      unpaid_.pop_front();
    }
    Ask(client, "POST",
        "/payment?user=" + user + "&appointment=" + std::to_string(appointment) + "&cents=3500");
  } else if (what < kDashboard) {
    Ask(client, "GET", "/dashboard?user=" + user + "&barber=" + barber);
  } else {
    Ask(client, "GET",
        "/availability?user=" + user + "&barber=" + barber +
            "&day=" + Day(Pick(random, kPopularDays)));
  }
}

LoadGenerator::Answer LoadGenerator::Ask(httplib::Client& client, const char* method,
                                         const std::string& path) {
  const auto begin = Clock::now();
  const auto result = std::string_view(method) == "POST" ? client.Post(path) : client.Get(path);
  const auto end = Clock::now();
  Answer answer;
  if (result) {
    answer.status = result->status;
    answer.body = result->body;
    const auto cache = result->get_header_value("X-Cache");
    if (!cache.empty()) answer.cached = cache == "hit";
  }
  Observe({.at = end,
           .failed = !result || result->status >= 500,
           .quick = end - begin <= kQuick,
           .cached = answer.cached});
  return answer;
}

void LoadGenerator::Observe(const Observation& observation) {
  const std::lock_guard lock(mutex_);
  observations_.push_back(observation);
  while (!observations_.empty() && observations_.front().at < observation.at - kKept) {
    observations_.pop_front();
  }
}

Seen LoadGenerator::Last(std::chrono::seconds span) const {
  const auto since = Clock::now() - span;
  Seen seen;
  const std::lock_guard lock(mutex_);
  for (auto it = observations_.rbegin(); it != observations_.rend() && it->at >= since; ++it) {
    ++seen.requests;
    if (it->failed) ++seen.failures;
    if (it->quick) ++seen.within_five_seconds;
    if (it->cached) ++(*it->cached ? seen.cache_hits : seen.cache_misses);
  }
  return seen;
}

}  // namespace tocsin::demo
