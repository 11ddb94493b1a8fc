#include "tests/demo/app/service_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <mutex>
#include <unordered_map>

namespace tocsin::demo {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSessionLength{60};

// The objectives' bounds are among them, and two beyond the critical 5 s.
const prometheus::Histogram::BucketBoundaries kBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5,
                                                          1,     2,    5,     7.5,  10,  30};

}  // namespace

struct ServiceMetrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& durations = prometheus::BuildHistogram()
                                                             .Name("http_request_duration_seconds")
                                                             .Help("Time to answer a request.")
                                                             .Register(registry);
  prometheus::Counter& bookings = prometheus::BuildCounter()
                                      .Name("bookings_total")
                                      .Help("Appointments booked.")
                                      .Register(registry)
                                      .Add({});
  prometheus::Gauge& users = prometheus::BuildGauge()
                                 .Name("concurrent_users")
                                 .Help("Users who did something within the last minute.")
                                 .Register(registry)
                                 .Add({});
  std::mutex mutex;
  std::unordered_map<std::int64_t, SteadyClock::time_point> last_seen;
};

ServiceMetrics::ServiceMetrics() : impl_(std::make_unique<Impl>()) {}
ServiceMetrics::~ServiceMetrics() = default;

void ServiceMetrics::CountRequest(const std::string& endpoint, double seconds) {
  impl_->durations.Add({{"endpoint", endpoint}}, kBuckets).Observe(seconds);
}

void ServiceMetrics::CountBooking() { impl_->bookings.Increment(); }

void ServiceMetrics::SeeUser(std::int64_t user) {
  const std::lock_guard lock(impl_->mutex);
  impl_->last_seen[user] = SteadyClock::now();
}

std::string ServiceMetrics::Page() {
  {
    const std::lock_guard lock(impl_->mutex);
    const auto oldest = SteadyClock::now() - kSessionLength;
    std::erase_if(impl_->last_seen, [&](const auto& entry) { return entry.second < oldest; });
    impl_->users.Set(static_cast<double>(impl_->last_seen.size()));
  }
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace tocsin::demo
