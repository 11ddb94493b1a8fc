#pragma once

// Three receivers as they keep their books: Slack, PagerDuty and a webhook take in what
// is sent and find fault at once with what is out of order, told twice or told backwards.

#include <algorithm>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"

namespace tocsin::testing {

inline const std::vector<std::string> kReceivers = {"slack", "pagerduty", "webhook"};

// One message about one alert.
struct Told {
  WallTime at{};
  bool firing = false;
  bool heard = true;  // The sender may not have: then it may say it again.
  // The webhook's: when it began and, unless it fires, ended.
  std::optional<WallTime> starts_at{};
  std::optional<WallTime> ends_at{};
};

class Books {
 public:
  // A request to `receiver` that was taken in. `heard`: its sender gets to know.
  // `waited`: it may have stood in line, and an end before it may have given way to it.
  void Take(const std::string& receiver, const HttpRequest& request, WallTime at, bool heard,
            bool waited);

  // The sender died: of what was answered since `since` it may know nothing.
  void SenderDied(WallTime since);
  // Of alerts of that name still firing then, whoever was told before is told again.
  void SilenceEnded(const std::string& alertname, WallTime at) {
    silence_ended_at_[alertname] = std::max(silence_ended_at_[alertname], at);
  }

  // In order; by the key of its condition.
  const std::vector<Told>& Of(const std::string& receiver, const std::string& alert) const;
  // Whether the last that was told until `at` is that it fires.
  bool Open(const std::string& receiver, const std::string& alert,
            WallTime at = WallTime::max()) const;
  std::size_t open(const std::string& receiver) const;
  const std::map<std::string, std::vector<Told>>& All(const std::string& receiver) const;

 private:
  void Write(const std::string& receiver, const std::string& alert, Told told, bool waited);

  std::map<std::string, std::map<std::string, std::vector<Told>>> books_;
  std::map<std::string, WallTime> silence_ended_at_;
};

}  // namespace tocsin::testing
