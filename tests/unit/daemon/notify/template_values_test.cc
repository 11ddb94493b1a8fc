// What notification templates can say: every field and every function of
// Alertmanager's, each at least once.

#include "daemon/notify/template_values.h"

#include <gmock/gmock.h>

#include "daemon/base/text.h"
#include "daemon/notify/templates.h"

namespace tocsin::notify {
namespace {

using ::testing::HasSubstr;

struct Row {
  const char* text;
  const char* expected;
};

Notification TwoAlerts() {
  NotifiedAlert firing;
  firing.labels = {{"alertname", "Down"}, {"instance", "db1"}, {"severity", "critical"}};
  firing.annotations = {{"summary", "it hurts"}, {"site", "a"}};
  firing.starts_at = ParseTime("2026-11-26T11:00:00Z").value();
  firing.generator_url = "http://p/graph?g0.expr=up";
  NotifiedAlert resolved = firing;
  resolved.labels = {{"alertname", "Down"}, {"instance", "db2"}, {"severity", "critical"}};
  resolved.annotations = {{"summary", "it hurts"}, {"site", "b"}};
  resolved.resolved = true;
  resolved.ends_at = ParseTime("2026-11-26T11:30:00.250Z").value();
  Notification notification;
  notification.receiver = "ops";
  notification.group_labels = {{"alertname", "Down"}};
  notification.route_labels = {{"team", "db"}, {"page", "{{ .GroupLabels.alertname }} of db"}};
  notification.reason = Reason::kNewAlerts;
  notification.alerts = {firing, resolved};
  return notification;
}

class TemplateTest : public ::testing::Test {
 protected:
  std::string Expand(const std::string& text) {
    TextExpander expander(*templates_, TwoAlerts(), ParseTime("2026-11-26T12:00:00Z").value());
    return expander.Expand(text);
  }
  template <std::size_t kSize>
  void Expect(const Row (&rows)[kSize]) {
    for (const Row& row : rows) EXPECT_EQ(Expand(row.text), row.expected) << row.text;
  }

  std::shared_ptr<const Templates> templates_ =
      Templates::Make(NotifyConfig(), "http://tocsin.test").value();
};

TEST_F(TemplateTest, EveryField) {
  Expect({
      {"{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "ops firing http://tocsin.test"},
      {"{{ .NotificationReason }}", "new alerts added"},
      {"{{ .GroupLabels.alertname }}", "Down"},
      {"{{ .CommonLabels }}", "map[alertname:Down severity:critical]"},
      {"{{ .CommonAnnotations }}", "map[summary:it hurts]"},
      {"{{ .RouteLabels.team }}, {{ .RouteLabels.page }}", "db, Down of db"},
      {"{{ len .Alerts }} {{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}", "2 1 1"},
      {"{{ range .Alerts }}{{ .Status }} {{ .Labels.instance }} {{ .Annotations.site }};{{ end }}",
       "firing db1 a;resolved db2 b;"},
      {"{{ range .Alerts.Firing }}{{ .StartsAt }} {{ .GeneratorURL }}{{ end }}",
       "2026-11-26 11:00:00 +0000 UTC http://p/graph?g0.expr=up"},
      {"{{ range .Alerts.Resolved }}{{ .EndsAt }}{{ end }}", "2026-11-26 11:30:00.25 +0000 UTC"},
      // What fires has Go's zero time for an end.
      {"{{ range .Alerts.Firing }}{{ .EndsAt }} {{ .EndsAt.IsZero }}{{ end }}",
       "0001-01-01 00:00:00 +0000 UTC true"},
      {"{{ range .Alerts.Firing }}{{ len .Fingerprint }}{{ end }}", "16"},
      {"{{ .CommonLabels.Names }} {{ .CommonLabels.Values }}",
       "[alertname severity] [Down critical]"},
      {"{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
       "alertname=Down;severity=critical;"},
      {"{{ .CommonLabels.SortedPairs.Names }} {{ .CommonLabels.SortedPairs.Values }}",
       "[alertname severity] [Down critical]"},
      {"{{ .CommonLabels.Remove .GroupLabels.Names }}", "map[severity:critical]"},
  });
}

TEST_F(TemplateTest, FunctionsOfText) {
  Expect({
      {"{{ toUpper \"ab\" }}{{ toLower \"CD\" }}", "ABcd"},
      // As amtool 0.25 renders it.
      {"{{ title \"HELLO wORLD don't a.b x_y a-b db:abc 3rd ünder o’neil\" }}",
       "Hello World Don't A.b X_y A-B Db:abc 3Rd Ünder O’neil"},
      {"[{{ trimSpace \"  a b \\n\" }}]", "[a b]"},
      {"{{ join \", \" (stringSlice \"a\" \"b\") }}", "a, b"},
      {"{{ match \"^d.1$\" \"db1\" }}{{ match \"x\" \"db1\" }}", "truefalse"},
      {"{{ reReplaceAll \"(d)b\" \"${1}-\" \"db1\" }}", "d-1"},
      {"{{ safeHtml \"<b>\" }}{{ safeUrl \"http://a/?b=c&d\" }}", "<b>http://a/?b=c&d"},
      {"{{ urlUnescape \"a%20b+c%2Fd\" }}", "a b c/d"},
      {"{{ base64encode \"~~~ok?>\" }}", "fn5-b2s_Pg=="},
      {"{{ base64decode \"fn5-b2s_Pg==\" }}", "~~~ok?>"},
      {"{{ base64decode (base64encode .Receiver) }}", "ops"},
      {"{{ routeLabels \"team\" }}/{{ routeLabels \"none\" }}", "db/"},
  });
}

TEST_F(TemplateTest, FunctionsOfTime) {
  Expect({
      {"{{ range .Alerts.Firing }}{{ date \"2006-01-02 15:04\" .StartsAt }}{{ end }}",
       "2026-11-26 11:00"},
      {"{{ range .Alerts.Firing }}{{ .StartsAt | tz \"Europe/Paris\" | date \"15:04 MST\" }}{{ end "
       "}}",
       "12:00 CET"},
      {"{{ range .Alerts.Firing }}{{ since .StartsAt }}{{ end }}", "1h0m0s"},
      {"{{ now.Unix }}", "1795694400"},
      {"{{ humanizeDuration 3661 }}", "1h 1m 1s"},
      {"{{ toDate \"2006-01-02\" \"2026-11-05\" | date \"2 Jan\" }}", "5 Nov"},
      {"{{ mustToDate \"15:04\" \"17:30\" | date \"3:04PM\" }}", "5:30PM"},
      // What is no date is no error there.
      {"{{ (toDate \"2006\" \"soon\").IsZero }}", "true"},
  });
}

TEST_F(TemplateTest, FunctionsOfListsAndJson) {
  Expect({
      {"{{ toJson (append (list \"a\" 1) true) }}", R"(["a",1,true])"},
      {"{{ toJson (dict \"b\" 1.5 \"a\" (list)) }}", R"({"a":[],"b":1.5})"},
      {"{{ (dict \"a\" \"x\").a }}{{ index (list \"y\" \"z\") 1 }}", "xz"},
      {"{{ toJson .CommonLabels }}", R"({"alertname":"Down","severity":"critical"})"},
      {"{{ toJson \"<a&b>\" }}", R"("\u003ca\u0026b\u003e")"},
      {"{{ toJson .CommonAnnotations.SortedPairs }}", R"([{"Name":"summary","Value":"it hurts"}])"},
      // Fields are spelled as in the webhook's body.
      {"{{ range .Alerts.Resolved }}{{ toJson . }}{{ end }}",
       R"({"status":"resolved","labels":{"alertname":"Down","instance":"db2",)"
       R"("severity":"critical"},"annotations":{"site":"b","summary":"it hurts"},)"
       R"("startsAt":"2026-11-26T11:00:00Z","endsAt":"2026-11-26T11:30:00.25Z",)"
       R"("generatorURL":"http://p/graph?g0.expr=up","fingerprint":"7bc7a76cc2506edb"})"},
  });
  EXPECT_THAT(Expand("{{ toJson . }}"), HasSubstr(R"("notification_reason":"new alerts added")"));
}

TEST_F(TemplateTest, WhatAFunctionDoesNotTake) {
  const auto fails = [&](const std::string& text, const std::string& why) {
    const std::string expanded = Expand(text);
    EXPECT_THAT(expanded, HasSubstr("<error expanding template: ")) << text;
    EXPECT_THAT(expanded, HasSubstr(why)) << text;
  };
  fails("{{ mustToDate \"2006\" \"soon\" }}",
        "error calling mustToDate: parsing time \"soon\" as \"2006\": cannot parse \"soon\"");
  fails("{{ base64decode \"PD*=\" }}", "illegal base64 data at input byte 2");
  fails("{{ base64decode \"PDw_P\" }}", "illegal base64 data at input byte 5");
  fails("{{ dict \"a\" }}", "dict requires an even number of arguments");
  fails("{{ dict 1 2 }}", "dict keys must be strings");
  fails("{{ urlUnescape \"%zz\" }}", "invalid URL escape \"%zz\"");
  fails("{{ now | tz \"Nowhere/City\" }}", "unknown time zone Nowhere/City");
}

}  // namespace
}  // namespace tocsin::notify
