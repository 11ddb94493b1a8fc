#pragma once

// What must hold of everything that receivers took in, whatever happened between:
// nothing is told as resolved before it was told as firing, an end is told once (but
// for the same words again) and only if it has come; in the end what fires was last
// told as firing, what has ended as resolved, and nothing waits.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {

class Promises {
 public:
  Promises() = default;
  explicit Promises(const World& world) { Read(world); }

  // Takes in what has been sent since the last call.
  void Read(const World& world) {
    for (const auto& sent : world.http->RequestsAfter(read_)) {
      ++read_;
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
      const bool was_refused = refused_.count(fingerprint) > 0;
      EXPECT_TRUE(told.front().firing || was_refused)
          << "an end was told before its start: " << fingerprint;
      for (std::size_t i = 1; i < told.size(); ++i) {
        const bool are_ends = !told[i - 1].firing && !told[i].firing;
        if (are_ends && was_refused) continue;  // A refused end may follow a later one.
        EXPECT_LE(told[i - 1].starts_at, told[i].starts_at) << "told backwards: " << fingerprint;
        if (!are_ends) continue;
        EXPECT_EQ(told[i - 1].ends_at, told[i].ends_at)
            << "an end of which no start was told: " << fingerprint;
      }
    }
    for (const auto& [key, told] : pages_) {
      if (refused_.count(key)) continue;
      EXPECT_EQ(told.front(), "firing") << "a resolve overtook its trigger: " << key;
    }
  }

  // `fires` knows whether the sender's condition held at a time and just before and after.
  void ExpectTruth(const std::function<bool(const std::string& fingerprint, WallTime)>& fires) {
    for (const auto& [fingerprint, told] : alerts_) {
      for (std::size_t& i = judged_[fingerprint]; i < told.size(); ++i) {
        if (told[i].firing) continue;
        EXPECT_FALSE(fires(fingerprint, told[i].ends_at))
            << fingerprint << " was told as resolved at " << FormatTime(told[i].ends_at)
            << " and held all the time";
      }
    }
  }

  // `must` fire and may be told; `may` fire and are inhibited.
  void ExpectEnd(const World& world, const std::set<model::Labels>& must,
                 const std::set<model::Labels>& may) const {
    for (const model::Labels& labels : must) {
      const auto told = alerts_.find(model::FingerprintText(labels.Fingerprint()));
      ASSERT_NE(told, alerts_.end()) << "never told: " << labels.Text();
      EXPECT_TRUE(told->second.back().firing) << labels.Text();
    }
    std::set<std::string> firing;
    for (const auto& set : {must, may}) {
      for (const auto& labels : set) firing.insert(model::FingerprintText(labels.Fingerprint()));
    }
    for (const auto& [fingerprint, told] : alerts_) {
      if (firing.count(fingerprint)) continue;
      EXPECT_FALSE(told.back().firing) << "left open: " << fingerprint;
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
  struct Told {
    bool firing = false;
    WallTime starts_at{};
    WallTime ends_at{};  // Of one that has ended.
  };

  void ReadWebhook(const Message& message) {
    for (const auto& alert : message.body["alerts"]) {
      Told told{alert["status"] == "firing", ReadTime(alert["startsAt"]), {}};
      if (!told.firing) told.ends_at = ReadTime(alert["endsAt"]);
      alerts_[alert["fingerprint"]].push_back(told);
    }
  }

  static WallTime ReadTime(const std::string& text) {
    const auto time = ParseTime(text);
    EXPECT_TRUE(time.ok()) << text;
    return time.ok() ? *time : WallTime{};
  }

  // Its start may have been refused for good while its end waited.
  void NoteRefused(const Message& message) {
    if (message.to == "pagerduty") refused_.insert(message.body["dedup_key"]);
    if (message.to != "webhook") return;
    for (const auto& alert : message.body["alerts"]) refused_.insert(alert["fingerprint"]);
  }

  std::size_t read_ = 0;                                   // Requests.
  std::map<std::string, std::vector<Told>> alerts_;        // By fingerprint.
  std::map<std::string, std::size_t> judged_;              // Of those, by ExpectTruth.
  std::map<std::string, std::vector<std::string>> pages_;  // By dedup key.
  std::set<std::string> refused_;                          // Fingerprints and dedup keys.
};

}  // namespace tocsin::notify
