// What differs on purpose: the rows of README's table about the API.

#include "tests/integration/alertmanager/api_side_by_side.h"

namespace tocsin::testing {
namespace {

TEST_F(ApiSideBySideTest, WhatIsTakenDiffers) {
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

TEST_F(ApiSideBySideTest, OfTooManyAlertsTheLastAreLeftOutAndCounted) {
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

TEST_F(ApiSideBySideTest, AndOfTooLargeOnes) {
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

TEST_F(ApiSideBySideTest, TimesDiffer) {
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

TEST_F(ApiSideBySideTest, WhatIsShownDiffers) {
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
