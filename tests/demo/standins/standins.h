#pragma once

// Two small servers of 127.0.0.1 in place of Slack and PagerDuty. They judge every
// request as the vendor would, answer in the vendor's words, hold back who comes
// too fast with 429 and Retry-After, and keep what arrived. Thread-safe.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin::demo {

enum class Vendor { kSlack, kPagerDuty };

struct Message {
  Vendor vendor{};
  WallTime received_at{};
  int status = 0;        // As answered; 200 and 202 are acceptances.
  std::string refusal;   // Why not, when it was refused.
  std::string body;      // As received, a routing key replaced.
  std::string headline;  // One line for people.
  std::string action;    // PagerDuty: trigger, acknowledge, resolve.
  std::string severity;  // PagerDuty: of the payload.
  std::string dedup_key;

  bool accepted() const { return status / 100 == 2; }
};

class StandIns {
 public:
  // `on_message` is called for each request, from the servers' threads.
  // Errors: kUnavailable if a port is taken.
  static Result<std::unique_ptr<StandIns>> Start(std::function<void(const Message&)> on_message);
  ~StandIns();

  // The incoming webhook, and the Events API with the key it takes.
  const std::string& slack_url() const;
  const std::string& pagerduty_url() const;
  const std::string& routing_key() const;

  std::vector<Message> Messages() const;
  // Requests that a vendor would have refused for what they hold.
  int Refusals() const;

 private:
  struct Impl;
  explicit StandIns(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::demo
