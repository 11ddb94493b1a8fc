// What each receiver sends: addresses, credentials, limits and the parts of its body.

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/base/base64.h"
#include "tests/support/http_server.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Notification Down(const std::string& severity = "critical") {
  NotifiedAlert alert;
  alert.labels = {{"alertname", "Down"}, {"severity", severity}};
  alert.annotations = {{"runbook_url", "https://runbook"}};
  Notification notification;
  notification.receiver = "ops";
  notification.group_key = "{}:{alertname=\"Down\"}";
  notification.group_labels = {{"alertname", "Down"}};
  notification.alerts = {alert};
  return notification;
}

// The message of the one receiver of `yaml`, its first integration.
EncodedMessage Encode(const std::string& receiver, const Notification& notification = Down(),
                      const std::string& top = "") {
  const auto config =
      Config(top + "route: {receiver: ops}\nreceivers: [{name: ops, " + receiver + "}]\n");
  return EncodeAsFirst(*config, notification);
}

EncodedMessage Slack(const std::string& settings, const Notification& notification = Down()) {
  return Encode(std::string("slack_configs: [{api_url: '") + kSlackUrl + "', " + settings + "}]",
                notification);
}

EncodedMessage PagerDuty(const std::string& settings, const Notification& notification = Down()) {
  return Encode(
      std::string("pagerduty_configs: [{routing_key: ") + kRoutingKey + ", " + settings + "}]",
      notification);
}

json BodyOf(const EncodedMessage& message) { return json::parse(message.request.body); }
json Attachment(const EncodedMessage& message) { return BodyOf(message)["attachments"][0]; }

std::string AuthorizationOf(const HttpRequest& request) {
  return request.authorization_type + " " + request.authorization.Reveal();
}

// As many letters of two bytes.
std::string Letters(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "ä";
  return text;
}

TEST(SlackTest, ABotsTokenGoesInTheHeaderAndNowhereElse) {
  const std::string token = "xoxb-SECRETTOKEN";
  const std::string bot =
      "slack_configs: [{app_token: " + token + ", app_url: 'http://slack.test/api', channel: C1}]";
  const EncodedMessage message = Encode(bot);
  EXPECT_EQ(message.request.url, "http://slack.test/api");
  EXPECT_EQ(AuthorizationOf(message.request), "Bearer " + token);
  EXPECT_EQ(BodyOf(message)["channel"], "C1");
  EXPECT_THAT(message.request.body, Not(HasSubstr(token)));
  EXPECT_EQ(Encode("slack_configs: [{app_token: x, channel: C1}]").request.url,
            "https://slack.com/api/chat.postMessage");

  World world(
      Config("route: {receiver: ops, group_wait: 0s}\nreceivers: [{name: ops, " + bot + "}]\n"));
  world.http->Answer("http://slack.test", [&](const HttpRequest& request) {
    return ScriptedAnswer::Status(500, "cannot take " + AuthorizationOf(request));
  });
  const model::Labels down = {{"alertname", "Down"}};
  world.Fire(down);
  world.Run(std::chrono::minutes(1));
  std::string seen;
  for (const DeliveryStatus& status : world.notifier->Explain(down.Fingerprint())) {
    for (const auto& attempt : status.attempts) seen += attempt.error;
  }
  EXPECT_THAT(seen, HasSubstr("cannot take Bearer <secret>"));
  for (const char* suffix : {"", "-wal"}) {
    std::ifstream file(world.database() + suffix, std::ios::binary);
    seen += (std::ostringstream() << file.rdbuf()).str();
  }
  EXPECT_THAT(seen, Not(HasSubstr(token)));
}

TEST(SlackTest, TheAddressOrTheTokenMayStandInGlobalOrInAFile) {
  TempFolder folder;
  const std::string file = (folder.path() / "slack.url").string();
  std::ofstream(file) << "http://slack.test/from/a/file\n";
  const std::string plain = "slack_configs: [{channel: C1}]";
  const auto global = [&](const std::string& settings) {
    return Encode(plain, Down(), "global: {" + settings + "}\n").request;
  };
  EXPECT_EQ(global("slack_api_url_file: '" + file + "'").url, "http://slack.test/from/a/file");
  EXPECT_EQ(Encode("slack_configs: [{api_url_file: '" + file + "'}]").request.url,
            "http://slack.test/from/a/file");
  const HttpRequest bot = global("slack_app_token: xoxb-1, slack_app_url: 'http://slack.test/api'");
  EXPECT_EQ(bot.url, "http://slack.test/api");
  EXPECT_EQ(AuthorizationOf(bot), "Bearer xoxb-1");
}

TEST(SlackTest, ALongTitleIsCutAndThatIsNoted) {
  const EncodedMessage message = Slack("title: '" + Letters(1025) + "'");
  EXPECT_EQ(Attachment(message)["title"], Letters(1023) + "…");
  EXPECT_THAT(message.notes, ::testing::ElementsAre("title cut to 1024 characters"));
  EXPECT_EQ(Attachment(Slack("title: '" + Letters(1024) + "'"))["title"], Letters(1024));
}

TEST(SlackTest, ActionsFieldsAndPicturesAreSentAsTheyAreSet) {
  const json attachment = Attachment(Slack(
      "image_url: 'http://pictures/{{ .Status }}.png', thumb_url: 'http://pictures/thumb.png',"
      " short_fields: true, fields: [{title: a, value: '{{ .GroupLabels.alertname }}'},"
      " {title: b, value: c, short: false}],"
      " actions: [{type: button, text: Restart, name: restart, value: '{{ .Receiver }}', style:"
      " danger, confirm: {title: 'Sure?', text: 'Of {{ .GroupLabels.alertname }}', ok_text: Yes,"
      " dismiss_text: No}}, {type: button, text: Look, url: 'http://look'}]"));
  EXPECT_EQ(attachment["image_url"], "http://pictures/firing.png");
  EXPECT_EQ(attachment["thumb_url"], "http://pictures/thumb.png");
  EXPECT_EQ(attachment["fields"], json::parse(R"([{"title":"a","value":"Down","short":true},
      {"title":"b","value":"c","short":false}])"));
  EXPECT_EQ(attachment["actions"], json::parse(R"([
      {"type":"button","text":"Restart","name":"restart","value":"ops","style":"danger",
       "confirm":{"title":"Sure?","text":"Of Down","ok_text":"Yes","dismiss_text":"No"}},
      {"type":"button","text":"Look","url":"http://look"}])"));
  const json plain = Attachment(Slack("channel: C1"));
  EXPECT_FALSE(plain.contains("image_url"));
  EXPECT_FALSE(plain.contains("actions"));
}

TEST(PagerDutyTest, SeveritiesAreTheFourThatTheApiKnows) {
  struct Row {
    const char* word;
    const char* severity;
  };
  constexpr Row kRows[] = {
      {"critical", "critical"}, {"crit", "critical"},      {"fatal", "critical"},
      {"page", "critical"},     {"emergency", "critical"}, {"error", "error"},
      {"err", "error"},         {"major", "error"},        {"high", "error"},
      {"warning", "warning"},   {"warn", "warning"},       {"minor", "warning"},
      {"info", "info"},         {"information", "info"},   {"notice", "info"},
      {"low", "info"},          {"none", "info"},          {" WARNING ", "warning"},
      {"nonsense", "error"},
  };
  for (const Row& row : kRows) {
    const auto message = PagerDuty("severity: '{{ .CommonLabels.severity }}'", Down(row.word));
    EXPECT_EQ(BodyOf(message)["payload"]["severity"], row.severity) << row.word;
  }
}

TEST(PagerDutyTest, ALongSummaryIsCutAndThatIsNoted) {
  const EncodedMessage message = PagerDuty("description: '" + Letters(1025) + "'");
  EXPECT_EQ(BodyOf(message)["payload"]["summary"], Letters(1023) + "…");
  EXPECT_THAT(message.notes, ::testing::ElementsAre("summary cut to 1024 characters"));
}

TEST(PagerDutyTest, PicturesAndLinksWithoutAnAddressAreLeftOut) {
  const json body = BodyOf(PagerDuty(
      "images: [{src: '{{ .CommonAnnotations.graph }}', alt: none}, {src: 'http://graph', alt: a,"
      " href: 'http://more'}],"
      " links: [{href: '{{ .CommonAnnotations.nothing }}', text: none},"
      " {href: '{{ .CommonAnnotations.runbook_url }}', text: Runbook}]"));
  EXPECT_EQ(body["images"],
            json::parse(R"([{"src":"http://graph","alt":"a","href":"http://more"}])"));
  EXPECT_EQ(body["links"], json::parse(R"([{"href":"https://runbook","text":"Runbook"}])"));
  EXPECT_FALSE(BodyOf(PagerDuty("images: [{alt: none}]")).contains("images"));
}

TEST(WebhookTest, OfManyAlertsTheFirstAreSentAndTheOthersCounted) {
  Notification many = Down();
  for (int i = 0; i < 4; ++i) many.alerts.push_back(many.alerts[0]);
  const std::string hook = std::string("webhook_configs: [{url: '") + kWebhookUrl + "'";
  const EncodedMessage limited = Encode(hook + ", max_alerts: 2}]", many);
  EXPECT_EQ(BodyOf(limited)["alerts"].size(), 2u);
  EXPECT_EQ(BodyOf(limited)["truncatedAlerts"], 3);
  EXPECT_EQ(limited.notes.size(), 1u);
  const EncodedMessage whole = Encode(hook + "}]", many);
  EXPECT_EQ(BodyOf(whole)["alerts"].size(), 5u);
  EXPECT_EQ(BodyOf(whole)["truncatedAlerts"], 0);
  EXPECT_THAT(whole.notes, IsEmpty());
}

TEST(WebhookTest, HasTheRoutesLabelsAndNeitherFieldOtherwise) {
  const std::string hook = std::string("webhook_configs: [{url: '") + kWebhookUrl + "'}]";
  const json plain = BodyOf(Encode(hook));
  EXPECT_FALSE(plain.contains("routeLabels"));
  EXPECT_FALSE(plain.contains("notification_reason"));
  World world(
      Config("route: {receiver: root, group_wait: 0s, labels: {team: web, tier: one},"
             " routes: [{receiver: ops, labels: {team: '{{ .CommonLabels.severity }}'}}]}\n"
             "receivers: [{name: root}, {name: ops, " +
             hook + "}]\n"));
  world.Fire({{"alertname", "Down"}, {"severity", "critical"}});
  world.Run(std::chrono::seconds(1));
  ASSERT_EQ(world.Messages("webhook").size(), 1u);
  EXPECT_EQ(world.Messages("webhook")[0].body["routeLabels"],
            json::parse(R"({"team":"critical","tier":"one"})"));
}

TEST(TemplateFileTest, WhatItDefinesTakesThePlaceOfADefault) {
  TempFolder folder;
  std::ofstream((folder.path() / "own.tmpl").string())
      << "{{ define \"slack.default.title\" }}ours: {{ .GroupLabels.alertname }}{{ end }}";
  const std::string slack = std::string("slack_configs: [{api_url: '") + kSlackUrl + "'}]";
  const EncodedMessage message =
      Encode(slack, Down(), "templates: ['" + folder.path().string() + "/*.tmpl']\n");
  EXPECT_EQ(Attachment(message)["title"], "ours: Down");
  // The default fallback calls what was overridden.
  EXPECT_THAT(Attachment(message)["fallback"].get<std::string>(), StartsWith("ours: Down | "));
}

// With a real client to a real server.
TEST(HttpConfigTest, CredentialsOnTheWire) {
  testing::HttpServer server([](const testing::ServedRequest&) { return testing::ServedAnswer(); });
  SystemClock clock;
  CurlHttpClient client(clock);
  const auto sent = [&](const std::string& http) {
    const auto config =
        Config("route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [{url: '" +
               server.Url("/") + "', send_resolved: false, http_config: {" + http + "}}]}]\n");
    const auto tested = SendTestNotification(*config, "ops", "http://tocsin.test", clock, client);
    EXPECT_TRUE(tested.ok() && !(*tested)[0].error);
    return server.requests().back().Header("Authorization");
  };
  EXPECT_EQ(sent("basic_auth: {username: ann, password: s3cret}"),
            "Basic " + EncodeBase64("ann:s3cret"));
  EXPECT_EQ(sent("bearer_token: abc"), "Bearer abc");
  EXPECT_EQ(sent("authorization: {credentials: abc}"), "Bearer abc");
  EXPECT_EQ(sent("authorization: {type: GenieKey, credentials: abc}"), "GenieKey abc");
  EXPECT_EQ(sent(""), "");
}

TEST(TestedIntegrationTest, HasANoteOfWhatDidNotExpand) {
  testing::HttpServer server([](const testing::ServedRequest&) { return testing::ServedAnswer(); });
  SystemClock clock;
  CurlHttpClient client(clock);
  const auto config =
      Config("route: {receiver: ops}\nreceivers: [{name: ops, slack_configs: [{api_url: '" +
             server.Url("/") + "', send_resolved: true, text: '{{ index .Alerts 7 }}'}]}]\n");
  const auto tested = SendTestNotification(*config, "ops", "http://tocsin.test", clock, client);
  ASSERT_TRUE(tested.ok());
  EXPECT_FALSE((*tested)[0].error);
  // Of two messages, once.
  ASSERT_EQ((*tested)[0].notes.size(), 1u);
  EXPECT_THAT((*tested)[0].notes[0], HasSubstr("index out of range: 7"));
}

}  // namespace
}  // namespace tocsin::notify
