// The same requests to Debian's Alertmanager 0.25 and to Tocsin: the same answers.

#include "tests/integration/alertmanager/api_side_by_side.h"

namespace tocsin::testing {
namespace {

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

TEST_F(ApiSideBySideTest, AlertsAndGroups) {
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

TEST_F(ApiSideBySideTest, AlertsThatAreSentAgain) {
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

TEST_F(ApiSideBySideTest, Silences) {
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

TEST_F(ApiSideBySideTest, WhatIsWrong) {
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

}  // namespace
}  // namespace tocsin::testing
