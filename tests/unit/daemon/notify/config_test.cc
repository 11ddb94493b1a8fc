// Configuration: all errors at once with their place, the short form, and the
// file that it stands for.

#include "daemon/notify/notify_config.h"

#include <gmock/gmock.h>

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
       {"am.yml:1:", "resolve_timeout", "am.yml:3:",
        "\"opps\" is not defined (did you mean \"ops\"?)", "must not have \"matchers\"",
        "no other name may stand beside it", "am.yml:8:", "invalid regular expression",
        "bad matcher nonsense", "\"nights\" is not defined",
        "receivers of kind \"opsgenie\" are not supported; supported: slack, pagerduty, webhook, "
        "email",
        "not a URL", "unknown key \"chanel\" (did you mean \"channel\"?)", "no Slack webhook",
        "receiver \"ops\" is defined twice", "\"25:00\" is not a time of day",
        "\"munday\" is not a weekday", "unknown time zone", "\"a b\" is not a label name"}) {
    EXPECT_THAT(errors, HasSubstr(part));
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
  EXPECT_EQ(PrintAlertmanager(*Config(filled)), printed);
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

}  // namespace
}  // namespace tocsin::notify
