#pragma once

// What must hold of everything that receivers took in, whatever happened between:
// nothing is told as resolved before it was told as firing; in the end what fires
// was last told as firing, what has ended as resolved, and nothing waits.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {

class Promises {
 public:
  explicit Promises(const World& world) {
    for (const auto& sent : world.http->requests()) {
      const bool took = sent.answer.received && !sent.answer.hangs &&
                        (sent.answer.breaks || sent.answer.status / 100 == 2);
      const bool refused = !sent.answer.hangs && !sent.answer.breaks && sent.answer.status == 400;
      if (refused) NoteRefused(world.Read(sent));
      if (!took) continue;
      const Message message = world.Read(sent);
      if (message.to == "webhook") ReadWebhook(message);
      if (message.to == "pagerduty") {
        pages_[message.body["dedup_key"]].push_back(message.status);
      }
    }
  }

  void ExpectOrder() const {
    for (const auto& [fingerprint, told] : alerts_) {
      if (refused_.count(fingerprint)) continue;
      EXPECT_EQ(told.front(), "firing") << "an end was told before its start: " << fingerprint;
    }
    for (const auto& [key, told] : pages_) {
      if (refused_.count(key)) continue;
      EXPECT_EQ(told.front(), "firing") << "a resolve overtook its trigger: " << key;
    }
  }

  // `must` fire and may be told; `may` fire and are inhibited.
  void ExpectEnd(const World& world, const std::set<model::Labels>& must,
                 const std::set<model::Labels>& may) const {
    for (const model::Labels& labels : must) {
      const auto told = alerts_.find(model::FingerprintText(labels.Fingerprint()));
      ASSERT_NE(told, alerts_.end()) << "never told: " << labels.Text();
      EXPECT_EQ(told->second.back(), "firing") << labels.Text();
    }
    std::set<std::string> firing;
    for (const auto& set : {must, may}) {
      for (const auto& labels : set) firing.insert(model::FingerprintText(labels.Fingerprint()));
    }
    for (const auto& [fingerprint, told] : alerts_) {
      if (firing.count(fingerprint)) continue;
      EXPECT_EQ(told.back(), "resolved") << "left open: " << fingerprint;
    }
    if (must.empty() && may.empty()) {
      for (const auto& [key, told] : pages_) {
        EXPECT_EQ(told.back(), "resolved") << "an incident stays open: " << key;
      }
    }
    EXPECT_TRUE(world.notifier->Outbox().empty());
  }

  std::size_t told() const { return alerts_.size(); }

 private:
  void ReadWebhook(const Message& message) {
    for (const auto& alert : message.body["alerts"]) {
      alerts_[alert["fingerprint"]].push_back(alert["status"]);
    }
  }

  // Its start may have been refused for good while its end waited.
  void NoteRefused(const Message& message) {
    if (message.to == "pagerduty") refused_.insert(message.body["dedup_key"]);
    if (message.to != "webhook") return;
    for (const auto& alert : message.body["alerts"]) refused_.insert(alert["fingerprint"]);
  }

  std::set<std::string> refused_;                           // Fingerprints and dedup keys.
  std::map<std::string, std::vector<std::string>> alerts_;  // By fingerprint.
  std::map<std::string, std::vector<std::string>> pages_;   // By dedup key.
};

}  // namespace tocsin::notify
