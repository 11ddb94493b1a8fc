#pragma once

// Debian's Alertmanager 0.25 and Tocsin with the same alertmanager.yml, asked the same:
// status codes and bodies, but for times and ids, are compared.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/alertmanager_server.h"

namespace tocsin::testing {

using nlohmann::json;

inline constexpr const char* kConfig = R"(
route:
  receiver: all
  group_by: [alertname]
  group_wait: 1s
  group_interval: 3s
  routes:
  - { matchers: ['team="db"'], receiver: db, continue: true }
  - { matchers: ['team="db"'], receiver: all, group_by: [alertname, cluster] }
  - { matchers: ['team="night"'], receiver: all, mute_time_intervals: [always] }
receivers:
- name: all
  webhook_configs: [ { url: 'http://127.0.0.1:1/with/a/token' } ]
- name: db
  webhook_configs: [ { url: 'http://127.0.0.1:1/' } ]
inhibit_rules:
- { source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [cluster] }
time_intervals:
- { name: always, time_intervals: [ {} ] }
)";

inline std::string At(Millis offset) { return FormatTime(SystemClock().WallNow() + offset); }

inline constexpr std::chrono::minutes kMinute{1};

// One server's answers with what is its own taken out: silence ids by the order in
// which they came, times near now by their distance in minutes.
class Normal {
 public:
  json Of(const std::string& body) {
    const json parsed = json::parse(body, nullptr, false);
    return parsed.is_discarded() ? json("not JSON: " + body) : Of(parsed);
  }
  std::string IdOf(std::size_t number) const {
    for (const auto& [id, name] : ids_) {
      if (name == number) return id;
    }
    return "";
  }

 private:
  json Of(const json& value) {
    if (value.is_string()) return Text(value.get<std::string>());
    json normal = value;
    if (value.is_structured()) {
      for (auto& item : normal) item = Of(item);
    }
    return normal;
  }
  std::string Text(const std::string& text) {
    if (text.size() == 36 && text[8] == '-' && text[13] == '-') {
      return fmt::format("silence {}", ids_.emplace(text, ids_.size() + 1).first->second);
    }
    const auto time = ParseTime(text);
    if (!time.ok()) return text;
    const double minutes = ToSeconds(*time - SystemClock().WallNow()) / 60;
    if (std::abs(minutes) > 60 * 24) return text;
    return fmt::format("now{:+}m", std::lround(minutes));
  }

  std::map<std::string, std::size_t> ids_;
};

class ApiSideBySideTest : public ::testing::Test {
 protected:
  struct Side {
    std::string url;
    Normal normal;
  };

  void SetUp() override {
    auto real = AlertmanagerServer::Start(kConfig);
    ASSERT_TRUE(real.ok()) << "install prometheus-alertmanager: " << real.error().message;
    real_ = *std::move(real);
    ASSERT_TRUE(ours_.ok());
    theirs_side_.url = real_->Url("");
    ours_side_.url = ours_.Url("");
  }

  // {1} stands for the id of the first silence, {start 1} for its start.
  std::string Fill(Side& side, std::string text) {
    for (std::size_t number = 1; number <= 9; ++number) {
      const std::string id = side.normal.IdOf(number);
      if (id.empty()) break;
      const auto put = [&](const std::string& name, const auto& value) {
        for (std::size_t at; (at = text.find(name)) != text.npos;) {
          text.replace(at, name.size(), value());
        }
      };
      put(fmt::format("{{{}}}", number), [&] { return id; });
      put(fmt::format("{{start {}}}", number), [&]() -> std::string {
        return asker_.Json(side.url + "/api/v2/silence/" + id)["startsAt"];
      });
    }
    return text;
  }

  HttpResponse Ask(Side& side, const std::string& method, const std::string& path,
                   const std::string& body) {
    return asker_.Ask(method, side.url + Fill(side, path), Fill(side, body), type_);
  }

  // What an answer says; of an error only how it is said.
  json Meaning(Side& side, const HttpResponse& response) {
    json meaning{{"status", response.status}};
    if (response.status / 100 == 2) {
      meaning["body"] = response.body.empty() ? json("") : side.normal.Of(response.body);
      return meaning;
    }
    const json body = json::parse(response.body, nullptr, false);
    if (body.is_object() && body.contains("code")) meaning["code"] = body["code"];
    if (body.is_string()) meaning["text"] = true;
    return meaning;
  }

  void Same(const std::string& method, const std::string& path, const std::string& body = "") {
    SCOPED_TRACE(method + " " + path + " " + body);
    json theirs, ours;
    const auto once = [&] {
      theirs = Meaning(theirs_side_, Ask(theirs_side_, method, path, body));
      ours = Meaning(ours_side_, Ask(ours_side_, method, path, body));
      return theirs == ours;
    };
    // Alertmanager groups on a thread of its own: a moment later it knows.
    if (method == "GET") {
      WaitUntil(once, std::chrono::seconds(5));
    } else {
      once();
    }
    EXPECT_TRUE(theirs == ours) << "from theirs to ours: " << json::diff(theirs, ours).dump(1);
  }

  void Differs(const std::string& method, const std::string& path, const std::string& body,
               const json& theirs, const json& ours) {
    SCOPED_TRACE(method + " " + path + " " + body);
    EXPECT_EQ(Meaning(theirs_side_, Ask(theirs_side_, method, path, body)), theirs);
    EXPECT_EQ(Meaning(ours_side_, Ask(ours_side_, method, path, body)), ours);
  }

  Asker asker_;
  std::string type_ = "application/json";
  std::unique_ptr<AlertmanagerServer> real_;
  AlertmanagerInTocsin ours_{kConfig};
  Side theirs_side_, ours_side_;
};

}  // namespace tocsin::testing
