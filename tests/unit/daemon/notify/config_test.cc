// Configuration: all errors at once with their place, the short form, and the
// file that it stands for.

#include "daemon/notify/notify_config.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "daemon/base/text.h"
#include "daemon/notify/route_tree.h"
#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string ErrorsOf(const std::string& yaml) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root = ConfigNode::Parse(yaml, "am.yml", ConfigNode::Expand::kNothing, errors);
  EXPECT_FALSE(ParseAlertmanagerConfig(root, files, errors));
  return errors.Text();
}

TEST(ConfigTest, AllErrorsAtOnceEachWithItsPlace) {
  const std::string errors = ErrorsOf(R"(global: {resolve_timeout: soon}
route:
  receiver: opps
  matchers: [a="b"]
  group_by: ['...', x]
  routes:
  - receiver: ops
    matchers: ['severity=~"("', nonsense]
    mute_time_intervals: [nights]
receivers:
- name: ops
  opsgenie_configs: [{api_key: x}]
  webhook_configs: [{url: 'ftp://host'}]
  slack_configs: [{chanel: '#x'}]
- name: ops
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '25:00', end_time: '24:00'}], weekdays: [munday], location: Nowhere/City}]}]
inhibit_rules: [{equal: ['a b']}]
)");
  for (const char* part :
       {"am.yml:1:", "resolve_timeout",
        "am.yml:3:", "\"opps\" is not defined (did you mean \"ops\"?)",
        "must not have \"matchers\"", "no other name may stand beside it",
        "am.yml:8:", "error parsing regexp", "bad matcher nonsense", "\"nights\" is not defined",
        "receivers of kind \"opsgenie\" are not supported; supported: slack, pagerduty, webhook, "
        "email",
        "not a URL", "unknown key \"chanel\" (did you mean \"channel\"?)", "no Slack webhook",
        "receiver \"ops\" is defined twice", "\"25:00\" is not a time of day",
        "\"munday\" is not a weekday", "unknown time zone", "\"a b\" is not a label name"}) {
    EXPECT_THAT(errors, HasSubstr(part));
  }
}

TEST(ConfigTest, KindsAndKeysThatAreNotSpokenAreNamed) {
  for (const char* kind :
       {"opsgenie", "pushover", "victorops", "wechat", "sns", "telegram", "discord", "webex",
        "msteams", "msteamsv2", "jira", "rocketchat", "mattermost", "incidentio"}) {
    const std::string errors = ErrorsOf("route: {receiver: r}\nreceivers: [{name: r, " +
                                        std::string(kind) + "_configs: [{api_key: x}]}]\n");
    EXPECT_THAT(errors,
                HasSubstr("receivers of kind \"" + std::string(kind) + "\" are not supported"));
    EXPECT_THAT(errors, Not(HasSubstr("unknown key")));
  }
  const std::string errors = ErrorsOf(R"(route: {receiver: r}
receivers:
- name: r
  pagerduty_configs: [{service_key: x, details: {a: {b: c}}}]
  slack_configs: [{api_url: 'http://h', update_message: true}]
  webhook_configs:
  - url: 'http://h'
    payload: {a: b}
    http_config: {oauth2: {client_id: x}, authorization: {type: Basic, credentials: x}}
)");
  for (const char* part :
       {"Events API v1 is not supported: use \"routing_key\"", "pagerduty_configs[0].details",
        "unknown key \"update_message\"", "unknown key \"payload\"", "\"oauth2\" is not supported",
        "has its own key, basic_auth"}) {
    EXPECT_THAT(errors, HasSubstr(part));
  }
}

TEST(ConfigTest, ATextThatIsNoTemplateIsAnErrorAtItsPlace) {
  TempFolder folder;
  std::ofstream(folder.path() / "a.tmpl") << "{{ define \"a\" }}\n{{ nonsense }}{{ end }}";
  std::ofstream(folder.path() / "b.tmpl") << "{{ define \"b\" }}";
  std::ofstream(folder.path() / "c.tmpl") << "{{ define \"c\" }}fine{{ end }}";
  const std::string errors = ErrorsOf(R"(global: {smtp_from: '{{ .Nobody', smtp_smarthost: 'm:25'}
route:
  receiver: ops
  routes:
  - labels: {team: '{{ .Nobody'}
receivers:
- name: ops
  slack_configs:
  - api_url: 'http://slack.test'
    fields: [{title: a, value: '{{ humanise 1 }}'}]
    text: '{{ if .Alerts }}'
    title: '{{ if .Alerts }}'
  email_configs: [{to: 'a@b'}]
templates: [')" + folder.path().string() +
                                      R"(/*.tmpl']
)");
  for (const std::string& part :
       {std::string("am.yml:10:32: receivers[0].slack_configs[0].fields[0].value: template: :1: "
                    "function \"humanise\" not defined"),
        std::string("am.yml:11:11: receivers[0].slack_configs[0].text: template: :1: unexpected "
                    "EOF"),
        std::string("am.yml:12:12: receivers[0].slack_configs[0].title: template: :1: unexpected "
                    "EOF"),
        std::string("am.yml:5:20: route.routes[0].labels.team: template: :1: unclosed action"),
        std::string("am.yml:1:21: global.smtp_from: template: :1: unclosed action"),
        (folder.path() / "a.tmpl").string() + ":2:1: function \"nonsense\" not defined",
        (folder.path() / "b.tmpl").string() + ":1:1: unexpected EOF"}) {
    EXPECT_THAT(errors, HasSubstr(part));
  }
  EXPECT_THAT(errors, Not(HasSubstr("c.tmpl")));
}

TEST(ConfigTest, WhatGosProgramsCallTlsVersionsIsReadAndPrinted) {
  const std::string yaml =
      "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: 'http://h',"
      " http_config: {tls_config: {min_version: TLS12, max_version: TLS13}, authorization: {type:"
      " Token, credentials: x}}}]}]\n";
  const auto config = Config(yaml);
  const HttpOptions& http = config->receivers[0].integrations[0].http;
  EXPECT_EQ(http.tls.min_version, TlsVersion::k12);
  EXPECT_EQ(http.tls.max_version, TlsVersion::k13);
  const std::string printed = PrintAlertmanager(*config);
  for (const char* part : {"min_version: \"TLS12\"", "max_version: \"TLS13\"",
                           "authorization: {type: \"Token\", credentials: \"<secret>\"}"}) {
    EXPECT_THAT(printed, HasSubstr(part));
  }
}

TEST(ConfigTest, AnErrorNeverShowsACredential) {
  const std::string errors = ErrorsOf(
      "route: {receiver: r}\nreceivers: [{name: r, slack_configs: [{api_url: "
      "'hxxp://SECRETWEBHOOK'}],"
      " pagerduty_configs: [{routing_key: SECRETWEBHOOK, routing_key_file: /none}]}]\n");
  EXPECT_THAT(errors, HasSubstr("not a URL"));
  EXPECT_THAT(errors, HasSubstr("keep one of them"));
  EXPECT_THAT(errors, Not(HasSubstr("SECRETWEBHOOK")));
}

std::string ShortYaml() {
  return std::string("slack: {webhook_url: '") + kSlackUrl +
         "'}\npagerduty: {routing_key: " + kRoutingKey +
         "}\nheartbeat: {url: 'http://beat.test/SECRETWEBHOOK', every: 30s}\n";
}

TEST(ShortFormTest, IsWhatTheDesignSays) {
  const auto config = ShortForm(ShortYaml());
  const RouteConfig& root = config->route;
  EXPECT_EQ(root.group_by, (std::vector<std::string>{"alertname", "instance"}));
  EXPECT_EQ(root.group_wait, std::chrono::seconds(10));
  EXPECT_EQ(root.group_interval, std::chrono::minutes(1));
  EXPECT_EQ(root.repeat_interval, std::chrono::hours(4));
  ASSERT_EQ(root.routes.size(), 1u);
  EXPECT_EQ(root.routes[0].group_wait, Millis(0));
  EXPECT_EQ(root.routes[0].matchers[0].Text(), "severity=\"critical\"");
  EXPECT_EQ(config->FindReceiver(root.routes[0].receiver)->integrations.size(), 2u);
  EXPECT_EQ(config->FindReceiver(root.receiver)->integrations.size(), 1u);
  EXPECT_EQ(config->heartbeat->every, std::chrono::seconds(30));
}

TEST(ShortFormTest, PrintsAFileWithoutSecretsThatReadsBackTheSame) {
  const auto config = ShortForm(ShortYaml());
  const std::string printed = PrintAlertmanager(*config);
  EXPECT_THAT(printed, Not(HasSubstr("SECRETWEBHOOK")));
  EXPECT_THAT(printed, Not(HasSubstr(kRoutingKey)));
  std::string filled = printed;
  const std::string hidden = "\"<secret>\"";
  for (std::size_t at; (at = filled.find(hidden)) != std::string::npos;) {
    filled.replace(at, hidden.size(), "http://slack.test/x");
  }
  // But for the inhibition, which Alertmanager has no words for.
  const auto without_notes = [](const std::string& text) {
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("# ") == line.npos) out += line + "\n";
    }
    return out;
  };
  EXPECT_THAT(printed, HasSubstr("# Here: equal: [\"...\"], every label but those matched."));
  EXPECT_THAT(printed, HasSubstr("equal: [\"alertname\", \"instance\"]\n"));
  EXPECT_EQ(PrintAlertmanager(*Config(filled)), without_notes(printed));
}

TEST(PrintedConfigTest, AProxysCredentialsAreHidden) {
  const auto config = Config(
      "route: {receiver: hook}\n"
      "receivers: [{name: hook, webhook_configs: [{url: 'http://hook.test/', "
      "http_config: {proxy_url: 'http://me:PROXYPASSWORD@proxy.test:3128'}}]}]\n");
  const std::string printed = PrintAlertmanager(*config);
  EXPECT_THAT(printed, Not(HasSubstr("PROXYPASSWORD")));
  EXPECT_THAT(printed, HasSubstr("http://<secret>@proxy.test:3128"));
}

TEST(ShortFormTest, AChannelThatIsNoTemplateIsAnErrorAtItsPlace) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root =
      ConfigNode::Parse("slack: {webhook_url: 'http://slack.test',\n  channel: '{{ .Nobody'}\n",
                        "tocsin.yaml", ConfigNode::Expand::kNothing, errors);
  EXPECT_FALSE(ParseShortForm(ConfigReader(root, errors), files));
  EXPECT_EQ(errors.Text(), "tocsin.yaml:2:12: slack.channel: template: :1: unclosed action\n");
}

TEST(ShortFormTest, MistakesNameTheKey) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root =
      ConfigNode::Parse("slack: {}\npagerduty: {routing_kay: x}\nheartbeat: {every: 1}\n",
                        "tocsin.yaml", ConfigNode::Expand::kNothing, errors);
  EXPECT_FALSE(ParseShortForm(ConfigReader(root, errors), files));
  for (const char* part : {"\"webhook_url\" or \"webhook_url_file\" is required",
                           "unknown key \"routing_kay\" (did you mean \"routing_key\"?)",
                           "\"url\" or \"url_file\" is required"}) {
    EXPECT_THAT(errors.Text(), HasSubstr(part));
  }
}

TEST(RouteTest, FirstMatchWinsUnlessContinueAndKeysAreAlertmanagers) {
  const RouteTree tree(Config(R"(
route:
  receiver: root
  group_by: [alertname, cluster]
  routes:
  - {receiver: a, matchers: [team="db"], continue: true}
  - {receiver: b, matchers: ['team=~"db|web"', job!="x"], group_by: ['...']}
  - {receiver: c, match: {team: db}}
receivers: [{name: root}, {name: a}, {name: b}, {name: c}]
)"));
  const model::Labels labels = {{"alertname", "PgDown"}, {"cluster", "c1"}, {"team", "db"}};
  std::vector<std::string> keys;
  for (const RouteNode* node : tree.Match(labels)) {
    keys.push_back(node->config->receiver + " " + node->GroupKey(node->GroupLabels(labels)));
  }
  EXPECT_THAT(
      keys, ::testing::ElementsAre(
                R"(a {}/{team="db"}:{alertname="PgDown", cluster="c1"})",
                R"(b {}/{job!="x",team=~"db|web"}:{alertname="PgDown", cluster="c1", team="db"})"));
  EXPECT_EQ(tree.Match({{"team", "none"}})[0]->config->receiver, "root");
}

TEST(MatcherTextTest, ReadsWhatPeopleWrite) {
  const auto text = [](const std::string& matchers) {
    const auto parsed = ParseMatchers(matchers);
    return parsed.ok() ? MatchersText(*parsed) : parsed.error().message;
  };
  EXPECT_EQ(text("a=b"), R"({a="b"})");
  EXPECT_EQ(text(R"({a="b", c=~"d|e" , f!~"g",h!=i})"), R"({a="b",c=~"d|e",f!~"g",h!="i"})");
  EXPECT_EQ(text(R"(a="x, \"y\" = z")"), R"({a="x, \"y\" = z"})");
  EXPECT_EQ(text("{}"), "{}");
  EXPECT_EQ(text("a = "), R"({a=""})");
  for (const char* bad : {"a", "=b", "{a=b", R"(a="b)", "a=b}", "a=~\"(\""}) {
    EXPECT_FALSE(ParseMatchers(bad).ok()) << bad;
  }
}

TEST(TimeIntervalTest, FieldsAreAndedListsAreOredAndTheZoneCounts) {
  const auto at = [](const char* time) { return ParseTime(time).value(); };
  TimeInterval office;
  office.minutes_of_day = {{9 * 60, 17 * 60}};
  office.weekdays = {ParseWeekdays("monday:friday").value()};
  EXPECT_TRUE(office.Contains(at("2026-11-23T09:00:00Z")));
  EXPECT_FALSE(office.Contains(at("2026-11-23T17:00:00Z")));
  EXPECT_FALSE(office.Contains(at("2026-11-22T12:00:00Z")));
  office.location = "America/New_York";
  EXPECT_FALSE(office.Contains(at("2026-11-23T09:00:00Z")));
  EXPECT_TRUE(office.Contains(at("2026-11-23T21:59:00Z")));
  TimeInterval month_end;
  month_end.days_of_month = {ParseDaysOfMonth("-2:-1").value()};
  EXPECT_TRUE(month_end.Contains(at("2026-02-27T00:00:00Z")));
  EXPECT_FALSE(month_end.Contains(at("2026-02-26T00:00:00Z")));
  month_end.days_of_month = {ParseDaysOfMonth("30:31").value()};
  EXPECT_FALSE(month_end.Contains(at("2026-02-28T00:00:00Z")));
  month_end.months = {ParseMonths("march:may").value()};
  EXPECT_TRUE(month_end.Contains(at("2026-04-30T00:00:00Z")));
}

TEST(TimeIntervalTest, LocalIsTheMachinesZone) {
  ::setenv("TZ", "America/New_York", 1);
  ::tzset();
  TimeInterval office;
  office.location = "Local";
  office.minutes_of_day = {{9 * 60, 17 * 60}};
  EXPECT_TRUE(CheckLocation("Local").ok());
  EXPECT_FALSE(office.Contains(ParseTime("2026-11-23T13:59:00Z").value()));
  EXPECT_TRUE(office.Contains(ParseTime("2026-11-23T14:00:00Z").value()));
  EXPECT_TRUE(office.Contains(ParseTime("2026-11-23T21:59:00Z").value()));
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace tocsin::notify
