#pragma once

// Debian's Alertmanager 0.25 and Tocsin with the same alertmanager.yml, sent the same
// alerts at the same time: what each tells its receivers, which answer both alike.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/http_server.h"

namespace tocsin::testing {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeliverySideBySideTest : public ::testing::Test {
 protected:
  struct Side {
    std::string name;
    std::string url;
  };
  // What came to a receiver, and whether it was accepted (2xx).
  struct Told {
    WallTime at{};
    ServedRequest request;
    json body;
    bool accepted = false;
  };
  // What a receiver answers to the request of that number (from 1) of a side; kept as long
  // as the servers run, and called by their threads.
  using Answer = std::function<ServedAnswer(int number)>;

  // Before Start(); every other receiver takes all it is told.
  void Answers(const std::string& receiver, Answer answer) {
    MutexLock lock(mutex_);
    answers_[receiver] = std::move(answer);
  }

  // "{url}" in `config` stands for the address below which a side's receivers are.
  void Start(const std::string& config) {
    const auto filled = [&](const Side& side) {
      std::string text = config;
      for (std::size_t at; (at = text.find("{url}")) != text.npos;) {
        text.replace(at, 5, receivers_.Url("/" + side.name));
      }
      return text;
    };
    auto real = AlertmanagerServer::Start(filled(theirs_), {"--web.external-url=http://bell.test"});
    ASSERT_TRUE(real.ok()) << "install prometheus-alertmanager: " << real.error().message;
    real_ = *std::move(real);
    theirs_.url = real_->Url("");
    tocsin_.emplace(filled(ours_), "web: { external_url: 'http://bell.test' }\n");
    ASSERT_TRUE(tocsin_->ok());
    ours_.url = tocsin_->Url("");
  }

  // Of that name and with these other labels, since the test began.
  json Alert(const std::string& name, const std::map<std::string, std::string>& labels = {}) const {
    json alert{{"labels", labels}, {"startsAt", FormatTime(began_)}};
    alert["labels"]["alertname"] = name;
    return Until(std::move(alert), began_ + std::chrono::hours(1));
  }
  static json Ended(json alert) { return Until(std::move(alert), SystemClock().WallNow()); }

  void Post(const json& alerts) {
    for (const Side* side : {&theirs_, &ours_}) {
      EXPECT_EQ(asker_.Ask("POST", side->url + "/api/v2/alerts", alerts.dump()).status, 200);
    }
  }

  std::vector<Told> Requests(const Side& side, const std::string& receiver) const {
    MutexLock lock(mutex_);
    const auto found = told_.find("/" + side.name + "/" + receiver);
    return found == told_.end() ? std::vector<Told>() : found->second;
  }
  // What a receiver accepted, as one word each: "firing" or "resolved".
  std::vector<std::string> Accepted(const Side& side, const std::string& receiver) const {
    std::vector<std::string> words;
    for (const Told& told : Requests(side, receiver)) {
      if (told.accepted) words.push_back(Word(told.body));
    }
    return words;
  }
  // What a webhook accepted about alerts of that name, and instance if one is given.
  std::vector<std::string> AcceptedOf(const Side& side, const std::string& receiver,
                                      const std::string& alertname,
                                      const std::string& instance = "") const {
    std::vector<std::string> words;
    for (const Told& told : Requests(side, receiver)) {
      for (const json& alert : told.body.value("alerts", json::array())) {
        const json& labels = alert["labels"];
        if (!told.accepted || labels["alertname"] != alertname) continue;
        if (!instance.empty() && labels.value("instance", "") != instance) continue;
        words.push_back(alert["status"]);
      }
    }
    return words;
  }
  bool WaitForRequests(const Side& side, const std::string& receiver, std::size_t count,
                       Millis limit = seconds(30)) const {
    return WaitUntil([&] { return Requests(side, receiver).size() >= count; }, limit);
  }
  bool WaitForBoth(const std::string& receiver, std::size_t count) const {
    return WaitForRequests(theirs_, receiver, count) && WaitForRequests(ours_, receiver, count);
  }

  // The value of a metric of their own, with that label if one is given; nothing if there is none.
  std::optional<double> Metric(const Side& side, const std::string& name,
                               const std::string& label = "") {
    std::istringstream page(asker_.Ask("GET", side.url + "/metrics").body);
    for (std::string line; std::getline(page, line);) {
      const bool is_it = line.starts_with(name + "{") || line.starts_with(name + " ");
      if (!is_it || line.find(label) == line.npos) continue;
      return ParseDouble(line.substr(line.rfind(' ') + 1));
    }
    return std::nullopt;
  }
  std::optional<double> TheirFailures(const std::string& integration) {
    return Metric(theirs_, "alertmanager_notifications_failed_total",
                  "integration=\"" + integration + "\"");
  }

  Asker asker_;
  Side theirs_{"theirs", ""};
  Side ours_{"ours", ""};
  const WallTime began_ = SystemClock().WallNow();
  std::unique_ptr<AlertmanagerServer> real_;
  std::optional<AlertmanagerInTocsin> tocsin_;

 private:
  static json Until(json alert, WallTime end) {
    alert["endsAt"] = FormatTime(end);
    return alert;
  }

  // Of a webhook, of PagerDuty, of Slack's default title.
  static std::string Word(const json& body) {
    if (body.contains("status")) return body["status"];
    if (body.contains("event_action")) {
      return body["event_action"] == "trigger" ? "firing" : "resolved";
    }
    const std::string title = body["attachments"][0]["title"];
    return title.starts_with("[FIRING") ? "firing" : "resolved";
  }

  ServedAnswer Take(const ServedRequest& request) {
    Answer answer = [](int) { return ServedAnswer(); };
    std::size_t index = 0;
    {
      MutexLock lock(mutex_);
      std::vector<Told>& told = told_[request.target];
      index = told.size();
      told.push_back({SystemClock().WallNow(), request, json::parse(request.body, nullptr, false)});
      const auto found = answers_.find(request.target.substr(request.target.rfind('/') + 1));
      if (found != answers_.end()) answer = found->second;
    }
    ServedAnswer given = answer(static_cast<int>(index) + 1);
    MutexLock lock(mutex_);
    told_[request.target][index].accepted =
        given.status / 100 == 2 && given.manner == ServedAnswer::Manner::kWhole;
    return given;
  }

  mutable Mutex mutex_;
  std::map<std::string, Answer> answers_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Told>> told_ GUARDED_BY(mutex_);
  HttpServer receivers_{[this](const ServedRequest& request) { return Take(request); }};
};

}  // namespace tocsin::testing
