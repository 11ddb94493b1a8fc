// The same requests to Debian's Alertmanager 0.25 and to Tocsin, with the same
// alertmanager.yml: the same status codes and the same bodies, but for times and
// ids. What differs on purpose is asserted too, and a row of README's table.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/support/alertmanager_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr const char* kConfig = R"(
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

std::string At(Millis offset) { return FormatTime(SystemClock().WallNow() + offset); }

constexpr std::chrono::minutes kMinute{1};

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

class SideBySideTest : public ::testing::Test {
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

std::string PostedAlerts() {
  return fmt::format(
      R"([{{"labels":{{"alertname":"Down","team":"db","severity":"critical","cluster":"c1","none":""}},
           "annotations":{{"summary":"it <hurts> & more"}},"generatorURL":"http://p/graph?a=1&b=2",
           "startsAt":"{}"}},
          {{"labels":{{"alertname":"Slow","severity":"warning","cluster":"c1"}}}},
          {{"labels":{{"alertname":"Slow","severity":"warning","cluster":"c2"}},
           "startsAt":"{}","endsAt":"{}"}},
          {{"labels":{{"alertname":"Plain"}},"annotations":{{}},
           "startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z","extra":1}}])",
      At(-10 * kMinute), At(-3 * kMinute), At(20 * kMinute));
}

std::string PostedSilence(const std::string& matchers, const std::string& id = "",
                          const std::string& start = "2026-01-01T00:00:00Z",
                          const std::string& end = "2199-01-01T00:00:00Z") {
  return fmt::format(
      R"({{{}"matchers":[{}],"startsAt":"{}","endsAt":"{}","createdBy":"ann","comment":"mending"}})",
      id.empty() ? "" : fmt::format("\"id\":\"{}\",", id), matchers, start, end);
}

constexpr const char* kPlain = R"({"name":"alertname","value":"Plain","isRegex":false})";
constexpr const char* kNoSlow =
    R"({"name":"alertname","value":"S.ow","isRegex":true,"isEqual":false})";
constexpr const char* kDatabase = R"({"name":"team","value":"d.","isRegex":true,"isEqual":true})";

TEST_F(SideBySideTest, AlertsAndGroups) {
  for (const char* path : {"/api/v2/receivers", "/api/v2/alerts", "/api/v2/alerts/groups"}) {
    Same("GET", path);
  }
  Same("POST", "/api/v2/alerts", PostedAlerts());
  for (const char* path : {
           "/api/v2/alerts",
           "/api/v2/alerts/groups",
           "/api/v2/alerts?active=false",
           "/api/v2/alerts?inhibited=false",
           "/api/v2/alerts?inhibited=false&active=true&silenced=false&unprocessed=false",
           "/api/v2/alerts?filter=alertname=Down",
           "/api/v2/alerts?filter=alertname%3DDown",
           "/api/v2/alerts?filter=alertname%3D%22Slow%22&filter=cluster%3Dc2",
           "/api/v2/alerts?filter=alertname%3D~%22D.*%7CP.*%22",
           "/api/v2/alerts?filter=team%3D",
           "/api/v2/alerts?filter=team%21%3D%22%22",
           "/api/v2/alerts?receiver=db",
           "/api/v2/alerts?receiver=d",
           "/api/v2/alerts?receiver=a.*",
           "/api/v2/alerts/groups?receiver=db",
           "/api/v2/alerts/groups?filter=severity%3Dwarning&inhibited=false",
           "/api/v2/alerts/groups?active=false",
           "/api/v2/alerts/groups?filter=nothing%3Dhere",
           "/api/v2/alerts?filter=nothing",
           "/api/v2/alerts?receiver=(",
           "/api/v2/alerts/groups?receiver=(",
       }) {
    Same("GET", path);
  }
}

TEST_F(SideBySideTest, AlertsThatAreSentAgain) {
  const auto send = [&](const std::string& times) {
    Same("POST", "/api/v2/alerts", R"([{"labels":{"alertname":"Again"})" + times + "}]");
    Same("GET", "/api/v2/alerts");
  };
  send(fmt::format(R"(,"startsAt":"{}")", At(-5 * kMinute)));
  // An earlier start is taken over, a later one is not; an end that was told beats
  // one that was assumed.
  send(fmt::format(R"(,"startsAt":"{}","endsAt":"{}")", At(-9 * kMinute), At(40 * kMinute)));
  send(fmt::format(R"(,"startsAt":"{}")", At(-2 * kMinute)));
  // It ends, stays away, and comes back as a new one.
  send(fmt::format(R"(,"endsAt":"{}")", At(-kMinute / 60)));
  send(fmt::format(R"(,"startsAt":"{}")", At(Millis(0))));
  Same("POST", "/api/v2/alerts", "[]");
  Same("POST", "/api/v2/alerts", "null");
}

TEST_F(SideBySideTest, Silences) {
  Same("GET", "/api/v2/silences");
  Same("POST", "/api/v2/alerts", PostedAlerts());
  Same("POST", "/api/v2/silences", PostedSilence(kPlain));
  Same("GET", "/api/v2/silences");
  Same("GET", "/api/v2/silence/{1}");
  Same("GET", "/api/v2/alerts");
  Same("GET", "/api/v2/alerts?silenced=false");
  Same("GET", "/api/v2/alerts/groups?silenced=false");
  // In place: the same matchers and the same start.
  Same("POST", "/api/v2/silences",
       PostedSilence(kPlain, "{1}", "{start 1}", "2198-01-01T00:00:00Z"));
  Same("GET", "/api/v2/silences");
  // Other matchers, or a start in the past that is not its own: a new one.
  Same("POST", "/api/v2/silences", PostedSilence(kNoSlow, "{1}", "{start 1}"));
  Same("GET", "/api/v2/silences");
  Same("POST", "/api/v2/silences", PostedSilence(kNoSlow, "{2}"));
  Same("GET", "/api/v2/silences");
  // One that has not begun: its start may move, not into the past.
  Same("POST", "/api/v2/silences", PostedSilence(kDatabase, "", "2197-01-01T00:00:00Z"));
  Same("POST", "/api/v2/silences", PostedSilence(kDatabase, "{4}", "2196-01-01T00:00:00Z"));
  Same("GET", "/api/v2/silence/{4}");
  Same("POST", "/api/v2/silences", PostedSilence(kDatabase, "{4}"));
  for (const char* path : {
           "/api/v2/silences",
           "/api/v2/alerts?silenced=false",
           "/api/v2/silences?filter=alertname%3DPlain",
           "/api/v2/silences?filter=alertname%21~S.ow",
           "/api/v2/silences?filter=alertname%3D~S.ow",
           "/api/v2/silences?filter=nothing",
       }) {
    Same("GET", path);
  }
  Same("DELETE", "/api/v2/silence/{3}");
  Same("DELETE", "/api/v2/silence/{3}");
  Same("GET", "/api/v2/silence/{3}");
  Same("GET", "/api/v2/silences");
  // What has ended is not changed: it begins anew.
  Same("POST", "/api/v2/silences", PostedSilence(kNoSlow, "{3}"));
  Same("GET", "/api/v2/silences");
}

TEST_F(SideBySideTest, WhatIsWrong) {
  for (const char* body : {
           R"([{"labels":{}}])",
           R"([{"annotations":{"a":"b"}}])",
           R"([{"labels":{"a":""}}])",
           R"([{"labels":{"alertname":"x"},"startsAt":"nonsense"}])",
           R"([{"labels":{"alertname":1}}])",
           R"([{"labels":{"alertname":"x"},"startsAt":"2026-02-01T00:00:00Z",)"
           R"("endsAt":"2026-01-01T00:00:00Z"}])",
           R"([{"labels":{"alertname":"Right"}},{"labels":{}}])",
           R"({"labels":{"alertname":"x"}})",
           "not JSON",
       }) {
    Same("POST", "/api/v2/alerts", body);
  }
  Same("GET", "/api/v2/alerts");  // What was right beside it was taken.
  const std::string rest =
      R"("startsAt":"2026-01-01T00:00:00Z","endsAt":"2199-01-01T00:00:00Z","createdBy":"a","comment":"c"})";
  for (const std::string& body : {
           PostedSilence(""),
           PostedSilence(R"({"name":"a","value":".*","isRegex":true})"),
           PostedSilence(R"({"name":"a","value":"(","isRegex":true})"),
           PostedSilence(R"({"name":"a","value":"b"})"),
           PostedSilence(R"({"name":"a","isRegex":false})"),
           PostedSilence(R"({"value":"b","isRegex":false})"),
           PostedSilence(kPlain, "", "2199-01-01T00:00:00Z", "2198-01-01T00:00:00Z"),
           PostedSilence(kPlain, "", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
           PostedSilence(kPlain, "", "nonsense"),
           PostedSilence(kPlain, "11111111-1111-1111-1111-111111111111"),
           PostedSilence(kPlain, "nonsense"),
           "{" + rest,
           std::string(R"({"matchers":[{"name":"a","value":"b","isRegex":false}]})"),
           std::string("[]"),
           std::string("{"),
       }) {
    Same("POST", "/api/v2/silences", body);
  }
  Same("GET", "/api/v2/silences");
  for (const char* type : {"", "text/plain", "application/json; charset=utf-8", "a"}) {
    type_ = type;
    Same("POST", "/api/v2/alerts", "[]");
    Same("POST", "/api/v2/silences", "[]");
  }
  type_ = "application/json";
  Same("GET", "/api/v2/nothing");
  Same("POST", "/api/v2/nothing", "[]");
  Same("PUT", "/api/v2/alerts", "[]");
  Same("POST", "/api/v2/status", "{}");
  Same("DELETE", "/api/v2/alerts");
  Same("GET", "/api/v2/silence/nonsense");
  Same("DELETE", "/api/v2/silence/nonsense");
}

// The rows of README's table of differences.
TEST_F(SideBySideTest, WhatIsTakenDiffers) {
  const json taken{{"status", 200}, {"body", ""}};
  const json refused{{"status", 400}, {"text", true}};
  // A flag that is neither true nor false: not silently false.
  Differs("GET", "/api/v2/alerts?active=maybe", "", {{"status", 200}, {"body", json::array()}},
          refused);
  // Label names of any kind, as since 0.27; a generator's address is not judged.
  Differs("POST", "/api/v2/alerts", R"([{"labels":{"a name":"x"}}])", refused, taken);
  Differs("POST", "/api/v2/alerts", R"([{"labels":{"a":"x"},"generatorURL":"%%"}])",
          {{"status", 422}, {"code", 601}}, taken);
  const std::string big(64 * 1024, 'x');
  Differs("POST", "/api/v2/alerts", R"([{"labels":{"a":")" + big + R"("}}])", taken, refused);
  // A silence that is not there is not there, as since 0.26.
  const std::string nowhere = "/api/v2/silence/11111111-1111-1111-1111-111111111111";
  const json not_found{{"status", 404}, {"text", true}};
  Differs("DELETE", nowhere, "", {{"status", 500}, {"text", true}}, not_found);
  Differs("GET", nowhere, "", {{"status", 404}}, not_found);
  // An alert that is null ends 0.25's connection.
  Differs("POST", "/api/v2/alerts", "[null]", {{"status", 0}}, {{"status", 400}, {"code", 400}});
}

// So many alerts, each with a text of so many bytes; `first` numbers them on.
// On the route that is always muted: nobody is to be told of so many.
std::string ManyAlerts(int count, int first, std::size_t bytes) {
  json alerts = json::array();
  for (int i = 0; i < count; ++i) {
    alerts.push_back(
        {{"labels", {{"alertname", "Many"}, {"team", "night"}, {"n", std::to_string(first + i)}}},
         {"annotations", {{"text", std::string(bytes, 'x')}}}});
  }
  return alerts.dump();
}

double Rejected(const std::string& url) {
  const std::string page = Asker().Ask("GET", url + "/metrics").body;
  const std::string name = "\ntocsin_alerts_rejected_total";
  const std::size_t at = page.find(name);
  if (at == page.npos) return -1;
  const std::size_t value = page.find(' ', at) + 1;
  return ParseDouble(page.substr(value, page.find('\n', value) - value)).value_or(-1);
}

TEST_F(SideBySideTest, OfTooManyAlertsTheLastAreLeftOutAndCounted) {
  const json taken{{"status", 200}, {"body", ""}};
  for (int first = 0; first < 40'000; first += 2'000) {
    const std::string posted = ManyAlerts(2'000, first, 1);
    EXPECT_EQ(Ask(theirs_side_, "POST", "/api/v2/alerts", posted).status, 200);
    EXPECT_EQ(Ask(ours_side_, "POST", "/api/v2/alerts", posted).status, 200);
  }
  Differs("POST", "/api/v2/alerts", ManyAlerts(3, 40'000, 1), taken,
          {{"status", 503}, {"text", true}});
  EXPECT_TRUE(WaitUntil([&] { return Rejected(ours_side_.url) == 3; }));
}

TEST_F(SideBySideTest, AndOfTooLargeOnes) {
  const json taken{{"status", 200}, {"body", ""}};
  constexpr std::size_t kLarge = 60 << 10;
  // 1,050 of them are 61.5 MiB.
  for (int first = 0; first < 1'050; first += 105) {
    const std::string posted = ManyAlerts(105, first, kLarge);
    EXPECT_EQ(Ask(theirs_side_, "POST", "/api/v2/alerts", posted).status, 200);
    EXPECT_EQ(Ask(ours_side_, "POST", "/api/v2/alerts", posted).status, 200);
  }
  Differs("POST", "/api/v2/alerts", ManyAlerts(105, 1'050, kLarge), taken,
          {{"status", 503}, {"text", true}});
  EXPECT_TRUE(WaitUntil([&] { return Rejected(ours_side_.url) > 1; }));
}

TEST_F(SideBySideTest, TimesDiffer) {
  const auto alert = [&](Side& side, const std::string& filter) {
    return side.normal.Of(asker_.Ask("GET", side.url + "/api/v2/alerts?filter=" + filter).body)[0];
  };
  // An end that was told is not forgotten when the alert is repeated twice without one.
  const std::string repeat = R"([{"labels":{"alertname":"Told"}}])";
  const std::string told =
      fmt::format(R"([{{"labels":{{"alertname":"Told"}},"endsAt":"{}"}}])", At(40 * kMinute));
  for (const std::string& body : {told, repeat, repeat}) Same("POST", "/api/v2/alerts", body);
  EXPECT_EQ(alert(theirs_side_, "alertname%3DTold")["endsAt"], "now+5m");
  EXPECT_EQ(alert(ours_side_, "alertname%3DTold")["endsAt"], "now+40m");
  // An alert with nothing but an end ahead has begun.
  Same("POST", "/api/v2/alerts",
       fmt::format(R"([{{"labels":{{"alertname":"Ahead"}},"endsAt":"{}"}}])", At(40 * kMinute)));
  EXPECT_EQ(alert(theirs_side_, "alertname%3DAhead")["startsAt"], "now+40m");
  EXPECT_EQ(alert(ours_side_, "alertname%3DAhead")["startsAt"], "now+0m");
}

TEST_F(SideBySideTest, WhatIsShownDiffers) {
  Same("POST", "/api/v2/alerts",
       R"([{"labels":{"alertname":"Late","team":"night"},"annotations":{"empty":"","full":"x"}}])");
  const json theirs = asker_.Json(theirs_side_.url + "/api/v2/alerts")[0];
  const json ours = asker_.Json(ours_side_.url + "/api/v2/alerts")[0];
  // Under a mute interval, as since 0.28.
  EXPECT_EQ(theirs["status"],
            json::parse(R"({"inhibitedBy":[],"silencedBy":[],"state":"active"})"));
  EXPECT_EQ(ours["status"], json::parse(R"({"inhibitedBy":[],"silencedBy":[],
      "mutedBy":["always"],"state":"suppressed"})"));
  EXPECT_EQ(asker_.Json(ours_side_.url + "/api/v2/alerts/groups").size(), 1u);
  EXPECT_EQ(asker_.Json(ours_side_.url + "/api/v2/alerts/groups?muted=false"), json::array());
  // An empty annotation is none, as an empty label is.
  EXPECT_EQ(theirs["annotations"], json::parse(R"({"empty":"","full":"x"})"));
  EXPECT_EQ(ours["annotations"], json::parse(R"({"full":"x"})"));
  // No credential is shown.
  const auto shown = [&](Side& side) {
    return asker_.Ask("GET", side.url + "/api/v2/status").body.find("with/a/token") !=
           std::string::npos;
  };
  EXPECT_TRUE(shown(theirs_side_));
  EXPECT_FALSE(shown(ours_side_));
}

}  // namespace
}  // namespace tocsin::testing
