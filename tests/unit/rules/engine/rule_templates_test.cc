// What the templates of a rule reach of the world; tests/golden/rules/templates.rules.yaml
// has the language.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rules/engine/rule_world.h"

namespace tocsin::rules {
namespace {

using testing::Group;
using ::testing::HasSubstr;
using testing::kCpu;
using testing::RuleWorld;

// The annotation of an alert that fires with the value 90.
std::string Expanded(RuleWorld& world, const std::string& text) {
  world.Set(kCpu, 90);
  world.Begin(Group("  - { alert: High, expr: cpu > 80, annotations: { a: '" + text + "' } }\n"));
  return std::string(world.sink().batches.back()[0].annotations.Get("a"));
}

TEST(RuleTemplatesTest, NowIsTheTimeOfTheEvaluation) {
  RuleWorld world;
  const std::string text = Expanded(world, "{{ now | humanizeTimestamp }}");
  const WallTime at = *world.engine().Groups()[0].last_evaluation;
  EXPECT_EQ(text.substr(0, 10), FormatTime(at).substr(0, 10));
  EXPECT_EQ(text.substr(11, 8), FormatTime(at).substr(11, 8));
}

TEST(RuleTemplatesTest, UrlQueryEscapeMakesAnyTextPartOfALink) {
  RuleWorld world;
  EXPECT_EQ(Expanded(world, R"(?q={{ urlQueryEscape "a b&c=d/ü" }})"), "?q=a+b%26c%3Dd%2F%C3%BC");
}

TEST(RuleTemplatesTest, PathPrefixIsThePathOfTheExternalUrl) {
  RuleWorld without;
  EXPECT_EQ(Expanded(without, "[{{ pathPrefix }}]"), "[]");
  RuleWorld with;
  with.options().external_url = "https://tocsin.example:9877/ui/of";
  EXPECT_EQ(Expanded(with, "[{{ pathPrefix }}] {{ externalURL }}"),
            "[/ui/of] https://tocsin.example:9877/ui/of");
}

TEST(RuleTemplatesTest, TheyQueryTheStore) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Set(R"(limit{job="pg"})", 100);
  world.Begin(Group(R"y(
  - alert: High
    expr: cpu > 80
    annotations:
      a: '{{ query "limit" | first | value | humanize }} {{ range query "limit" }}{{ .Labels.job }}{{ end }}'
      b: '{{ graphLink "up" }} {{ externalURL }} {{ with query "limit" }}{{ . | first | label "job" }}{{ end }}'
)y"));
  const auto& annotations = world.sink().batches.back()[0].annotations;
  EXPECT_EQ(annotations.Get("a"), "100 pg");
  EXPECT_EQ(annotations.Get("b"), "/graph?g0.expr=up&g0.tab=0 http://tocsin pg");
}

TEST(RuleTemplatesTest, ATemplateThatFailsShowsTheErrorInItsPlace) {
  RuleWorld world;
  world.Set(kCpu, 90);
  world.Begin(Group(R"y(
  - { alert: High, expr: cpu > 80, annotations: { a: "{{ (query \"missing(\" | first).Value }}" } }
)y"));
  EXPECT_THAT(std::string(world.sink().batches.back()[0].annotations.Get("a")),
              HasSubstr("<error expanding template: error executing template __alert_High: "
                        "template: __alert_High:1:"));
  world.Reload(
      Group("  - { alert: Other, expr: cpu > 80, annotations: { a: '{{ .Nonsense }}' } }\n"));
  world.Run("10s");
  EXPECT_THAT(std::string(world.sink().batches.back()[0].annotations.Get("a")),
              HasSubstr("at <.Nonsense>: can't evaluate field Nonsense in type struct { Labels "
                        "map[string]string; ExternalLabels map[string]string; ExternalURL string; "
                        "Value interface {} }>"));
}

}  // namespace
}  // namespace tocsin::rules
