#pragma once

// The webhook of both sides, which keeps what each was told.

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {

struct Side {
  std::string name;
  std::string rules_url;   // Prometheus' API.
  std::string alerts_url;  // Alertmanager's.
};

// Without what is each side's own: times, and the order of what has none.
inline nlohmann::json Timeless(nlohmann::json value) {
  if (value.is_object()) {
    for (const char* time : {"startsAt", "endsAt", "activeAt", "lastEvaluation", "evaluationTime",
                             "keepFiringSince"}) {
      value.erase(time);
    }
  }
  if (value.is_structured()) {
    for (auto& item : value) item = Timeless(item);
  }
  return value;
}

// Rate-limits the first request of each side to "limited". Thread-safe.
class Hook {
 public:
  struct Message {
    WallTime at{};
    nlohmann::json body;
    std::vector<std::string> alerts;  // "firing Down".
  };

  std::string Url(const Side& side) const { return server_.Url("/" + side.name); }
  // What a receiver of a side accepted.
  std::vector<Message> Accepted(const Side& side, const std::string& receiver) const {
    MutexLock lock(mutex_);
    const auto found = accepted_.find("/" + side.name + "/" + receiver);
    return found == accepted_.end() ? std::vector<Message>() : found->second;
  }
  int Requests(const Side& side, const std::string& receiver) const {
    MutexLock lock(mutex_);
    const auto found = requests_.find("/" + side.name + "/" + receiver);
    return found == requests_.end() ? 0 : found->second;
  }
  // The bodies without times, by group and in order.
  std::map<std::string, std::vector<nlohmann::json>> Groups(const Side& side) const {
    std::map<std::string, std::vector<nlohmann::json>> groups;
    for (const Message& message : Accepted(side, "same")) {
      groups[message.body["groupKey"]].push_back(Timeless(message.body));
    }
    return groups;
  }
  // What was told of one alert: "firing", "resolved", …
  std::vector<std::string> Told(const Side& side, const std::string& receiver,
                                const std::string& alert) const {
    std::vector<std::string> told;
    for (const Message& message : Accepted(side, receiver)) {
      for (const std::string& line : message.alerts) {
        if (line.ends_with(" " + alert)) told.push_back(line.substr(0, line.find(' ')));
      }
    }
    return told;
  }
  // Its texts when its end was told first.
  nlohmann::json TextsOfEnd(const Side& side, const std::string& receiver,
                            const std::string& alert) const {
    for (const Message& message : Accepted(side, receiver)) {
      for (const nlohmann::json& told : message.body["alerts"]) {
        if (told["status"] == "resolved" && told["labels"]["alertname"] == alert) {
          return told["annotations"];
        }
      }
    }
    return {};
  }

 private:
  ServedAnswer Take(const ServedRequest& request) {
    Message message{SystemClock().WallNow(), nlohmann::json::parse(request.body), {}};
    for (const nlohmann::json& alert : message.body["alerts"]) {
      message.alerts.push_back(alert["status"].get<std::string>() + " " +
                               alert["labels"]["alertname"].get<std::string>());
    }
    MutexLock lock(mutex_);
    ServedAnswer answer;
    if (++requests_[request.target] == 1 && request.target.ends_with("/limited")) {
      answer.status = 429;
      return answer;
    }
    accepted_[request.target].push_back(std::move(message));
    return answer;
  }

  mutable Mutex mutex_;
  std::map<std::string, std::vector<Message>> accepted_ GUARDED_BY(mutex_);
  std::map<std::string, int> requests_ GUARDED_BY(mutex_);
  HttpServer server_{[this](const ServedRequest& request) { return Take(request); }};
};

}  // namespace tocsin::testing
