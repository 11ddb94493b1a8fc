#include "tests/sim/daemon/books.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"

namespace tocsin::testing {
namespace {

WallTime ReadTime(const nlohmann::json& text) {
  const auto time = ParseTime(text.get<std::string>());
  EXPECT_TRUE(time.ok()) << text;
  return time.ok() ? *time : WallTime{};
}

}  // namespace

void Books::Take(const std::string& receiver, const HttpRequest& request, WallTime at, bool heard,
                 bool waited) {
  const auto body = nlohmann::json::parse(request.body);
  if (receiver == "pagerduty") {
    Write(receiver, body["payload"]["class"], {at, body["event_action"] == "trigger", heard},
          waited);
  } else if (receiver == "slack") {
    const auto& attachment = body["attachments"][0];
    Write(receiver, attachment["title"], {at, attachment["color"] == "danger", heard}, waited);
  } else {
    for (const auto& alert : body["alerts"]) {
      const auto& labels = alert["labels"];
      const std::string key = labels["alertname"].get<std::string>() + " " +
                              labels["severity"].get<std::string>() + " " +
                              labels["instance"].get<std::string>();
      Told told{at, alert["status"] == "firing", heard, ReadTime(alert["startsAt"])};
      if (!told.firing) told.ends_at = ReadTime(alert["endsAt"]);
      Write(receiver, key, told, waited);
    }
  }
}

void Books::Write(const std::string& receiver, const std::string& alert, Told told, bool waited) {
  std::vector<Told>& before = books_[receiver][alert];
  const std::string what = receiver + " of " + alert + " at " + FormatTime(told.at);
  if (before.empty()) {
    EXPECT_TRUE(told.firing) << what << ": resolved before it was told as firing";
  } else if (const Told& last = before.back(); last.firing == told.firing) {
    const bool newer = told.firing && (told.starts_at ? *told.starts_at > *last.starts_at : waited);
    // Told before and after a silence: both may have stood in line meanwhile.
    const WallTime told_from = waited && told.starts_at ? *told.starts_at : last.at;
    const bool again =
        told.firing && silence_ended_at_[alert.substr(0, alert.find(' '))] >= told_from;
    EXPECT_TRUE(!last.heard || newer || again)
        << what << ": told twice, as at " << FormatTime(last.at);
    EXPECT_TRUE(told.firing || told.starts_at == last.starts_at)
        << what << ": resolved what was not told as firing";
  }
  if (!before.empty() && told.starts_at < before.back().starts_at) {
    ADD_FAILURE() << what << ": told after what came later";
  }
  before.push_back(told);
}

void Books::SenderDied(WallTime since) {
  for (auto& [receiver, alerts] : books_) {
    for (auto& [alert, told] : alerts) {
      for (auto last = told.rbegin(); last != told.rend() && last->at >= since; ++last) {
        last->heard = false;
      }
    }
  }
}

const std::map<std::string, std::vector<Told>>& Books::All(const std::string& receiver) const {
  static const std::map<std::string, std::vector<Told>> kNone;
  const auto books = books_.find(receiver);
  return books == books_.end() ? kNone : books->second;
}

const std::vector<Told>& Books::Of(const std::string& receiver, const std::string& alert) const {
  static const std::vector<Told> kNone;
  const auto& all = All(receiver);
  const auto told = all.find(alert);
  return told == all.end() ? kNone : told->second;
}

bool Books::Open(const std::string& receiver, const std::string& alert, WallTime at) const {
  bool open = false;
  for (const Told& told : Of(receiver, alert)) {
    if (told.at <= at) open = told.firing;
  }
  return open;
}

std::size_t Books::open(const std::string& receiver) const {
  const auto& all = All(receiver);
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& entry) {
    return !entry.second.empty() && entry.second.back().firing;
  }));
}

}  // namespace tocsin::testing
