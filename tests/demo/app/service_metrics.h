#pragma once

// What the booking application counts of itself, and its /metrics page. Thread-safe.

#include <cstdint>
#include <memory>
#include <string>

namespace tocsin::demo {

class ServiceMetrics {
 public:
  ServiceMetrics();
  ~ServiceMetrics();

  void CountRequest(const std::string& endpoint, double seconds);
  void CountBooking();
  // A user did something; whoever did within the last minute is a concurrent user.
  void SeeUser(std::int64_t user);

  // The page in Prometheus' text format.
  std::string Page();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::demo
