// Debian's Prometheus 2.42 with Alertmanager 0.25 and Tocsin with `rules_evaluation:
// slots` on the same page, the same rules and the same alertmanager.yml at the same
// time: the same alerts, the same transitions but for the phase of polls and slots, the
// same groups, the same bodies at a webhook. What differs on purpose is asserted too,
// and a row of README's table.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "tests/integration/alertmanager/ask.h"
#include "tests/integration/rules/hook.h"
#include "tests/integration/rules/script.h"
#include "tests/support/alertmanager_server.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A poll and each slot of a chain of two groups come up to a second after what they see.
constexpr double kPhaseSeconds = 3.2;
constexpr double kStepSeconds = 0.25;  // At which series are looked at.
constexpr const char* kExternalUrl = "http://bell.test";

json SortedBy(json items, const char* key) {
  std::sort(items.begin(), items.end(),
            [&](const json& a, const json& b) { return a[key].dump() < b[key].dump(); });
  return items;
}

// A series without a gap, in seconds of the script.
struct Span {
  double begin = 0;
  double end = 0;
  std::vector<double> values;  // Repeats left out.
};
using Spans = std::map<std::string, std::vector<Span>>;  // By labels.

class RulesSideBySideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_.File("rules.yml")) << kSideBySideRules;
    StartTheirs();
    if (!HasFatalFailure()) StartOurs();
  }

  void StartTheirs() {
    const std::string external = std::string("--web.external-url=") + kExternalUrl;
    auto alertmanager =
        AlertmanagerServer::Start(SideBySideAlerting(hook_.Url(theirs_)), {external});
    ASSERT_TRUE(alertmanager.ok()) << alertmanager.error().message;
    alertmanager_ = *std::move(alertmanager);
    theirs_.alerts_url = alertmanager_->Url("");
    const std::string host = page_.Url("").substr(7);
    const auto job = [&](const std::string& name) {
      return "- { job_name: " + name + ", metrics_path: /" + name +
             ", static_configs: [ { targets: ['" + host + "'], labels: { instance: '" + name +
             ":1' } } ] }\n";
    };
    auto prometheus = PrometheusServer::Start(
        "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s,\n"
        "          external_labels: { cluster: near } }\n"
        "rule_files: [ '" +
            folder_.File("rules.yml") +
            "' ]\nalerting: { alertmanagers: [ { static_configs: [ { targets: [ '" +
            theirs_.alerts_url.substr(7) + "' ] } ] } ] }\nscrape_configs:\n" + job("app") +
            job("sick"),
        {external});
    ASSERT_TRUE(prometheus.ok()) << prometheus.error().message;
    prometheus_ = *std::move(prometheus);
    theirs_.rules_url = prometheus_->Url("");
  }

  void StartOurs() {
    std::ofstream(folder_.File("alertmanager.yml")) << SideBySideAlerting(hook_.Url(ours_));
    const auto target = [&](const std::string& name) {
      return "- { name: " + name + ", job: " + name + ", instance: '" + name + ":1', url: '" +
             page_.Url("/" + name) + "', timeout: 1s }\n";
    };
    auto started = DaemonProcess::Start(
        "interval: 1s\nrules_evaluation: slots\nlabels: { cluster: near }\n"
        "web: { external_url: '" +
        std::string(kExternalUrl) + "' }\nrules: [ '" + folder_.File("rules.yml") +
        "' ]\nalerting: '" + folder_.File("alertmanager.yml") + "'\nprometheus:\n" + target("app") +
        target("sick"));
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
    ours_.rules_url = ours_.alerts_url = daemon_->Url("");
  }

  json Data(const Side& side, const std::string& path) {
    const json answer = asker_.Json(side.rules_url + path);
    return answer.is_object() ? answer.value("data", json()) : json();
  }
  json Vector(const Side& side, const std::string& query) {
    const json data = Data(side, "/api/v1/query?query=" + PercentEncode(query));
    return data.is_object() ? data.value("result", json::array()) : json::array();
  }

  bool WaitForSecond(double second) {
    return WaitUntil([&] { return page_.Now() >= second; }, seconds(60));
  }

  // A silence of both, as a person would set it.
  void Silence(const std::string& matcher, seconds length) {
    const WallTime now = SystemClock().WallNow();
    const json silence = {
        {"matchers", json::array({{{"name", "case"}, {"value", matcher}, {"isRegex", false}}})},
        {"startsAt", FormatTime(now)},
        {"endsAt", FormatTime(now + length)},
        {"createdBy", "test"},
        {"comment", "quiet"}};
    for (const Side* side : {&theirs_, &ours_}) {
      EXPECT_EQ(asker_.Ask("POST", side->alerts_url + "/api/v2/silences", silence.dump()).status,
                200);
    }
  }

  // As queries see the series: one that has not ended is there, however late the next poll or
  // slot of a busy machine.
  Spans SpansOf(const Side& side, const std::string& selector) {
    const double begin = ToSeconds(page_.began().time_since_epoch());
    const json data = Data(side, "/api/v1/query_range?query=" + PercentEncode(selector) +
                                     "&start=" + std::to_string(begin) +
                                     "&end=" + std::to_string(begin + page_.Now()) +
                                     "&step=" + std::to_string(kStepSeconds));
    Spans spans;
    for (const json& series : data.is_object() ? data.value("result", json::array()) : json()) {
      std::vector<Span>& of_series = spans[series["metric"].dump()];
      for (const json& sample : series["values"]) {
        const double second = sample[0].get<double>() - begin;
        const double value = ParseDouble(sample[1].get<std::string>()).value_or(0);
        if (of_series.empty() || second - of_series.back().end > 1.5 * kStepSeconds) {
          of_series.push_back({second, second, {}});
        }
        of_series.back().end = second;
        if (of_series.back().values.empty() || of_series.back().values.back() != value) {
          of_series.back().values.push_back(value);
        }
      }
    }
    return spans;
  }

  // Times of both are the same but for the phase; values of times too.
  void ExpectSameSpans(const std::string& selector, double value_tolerance) {
    const Spans theirs = SpansOf(theirs_, selector);
    const Spans ours = SpansOf(ours_, selector);
    EXPECT_FALSE(theirs.empty()) << selector;
    for (const auto& [labels, spans] : ours) {
      EXPECT_EQ(theirs.count(labels), 1u) << "only ours: " << labels;
    }
    for (const auto& [labels, spans] : theirs) {
      SCOPED_TRACE(labels);
      const auto found = ours.find(labels);
      ASSERT_NE(found, ours.end()) << "only theirs";
      ASSERT_EQ(found->second.size(), spans.size());
      for (std::size_t i = 0; i < spans.size(); ++i) {
        const Span& mine = found->second[i];
        EXPECT_NEAR(mine.begin, spans[i].begin, kPhaseSeconds);
        EXPECT_NEAR(mine.end, spans[i].end, kPhaseSeconds);
        ASSERT_EQ(mine.values.size(), spans[i].values.size());
        for (std::size_t v = 0; v < spans[i].values.size(); ++v) {
          EXPECT_NEAR(mine.values[v], spans[i].values[v], value_tolerance);
        }
      }
    }
  }

  // Ours has what theirs has; of a later version it may have more.
  static void ExpectCovers(const json& theirs, const json& ours, const std::string& place) {
    if (theirs.is_object()) {
      for (const auto& [key, value] : theirs.items()) {
        ASSERT_TRUE(ours.is_object() && ours.contains(key)) << place << "." << key;
        ExpectCovers(value, ours[key], place + "." + key);
      }
    } else if (theirs.is_array()) {
      ASSERT_EQ(ours.size(), theirs.size()) << place << ": " << theirs << " and " << ours;
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        ExpectCovers(theirs[i], ours[i], place + "[" + std::to_string(i) + "]");
      }
    } else {
      EXPECT_EQ(ours, theirs) << place;
    }
  }
  json Alerts(const Side& side) {
    return SortedBy(Timeless(Data(side, "/api/v1/alerts"))["alerts"], "labels");
  }
  json RuleGroups(const Side& side) {
    json groups = SortedBy(Timeless(Data(side, "/api/v1/rules"))["groups"], "name");
    for (json& group : groups) {
      for (json& rule : group["rules"]) {
        if (rule.contains("alerts")) rule["alerts"] = SortedBy(rule["alerts"], "labels");
      }
    }
    return groups;
  }

  void ExpectDifferences();

  Asker asker_;
  Side theirs_{"theirs", "", ""};
  Side ours_{"ours", "", ""};
  Hook hook_;
  ScriptedPage page_{SideBySideScript(), kSickFrom, kSickTo};
  TemporaryFolder folder_;
  std::unique_ptr<AlertmanagerServer> alertmanager_;
  std::unique_ptr<PrometheusServer> prometheus_;
  std::unique_ptr<DaemonProcess> daemon_;
};

// The rows of README's table of differences.
void RulesSideBySideTest::ExpectDifferences() {
  const auto told = [&](const Side& side, const std::string& receiver, const std::string& alert) {
    return hook_.Told(side, receiver, alert);
  };
  // Its source does not answer from 8 s to 14 s: held, not ended.
  EXPECT_THAT(told(theirs_, "differs", "Held"), ElementsAre("firing", "resolved", "firing"));
  EXPECT_THAT(told(ours_, "differs", "Held"), ElementsAre("firing"));
  // Ends below 80 at 9 s, or below 60 at 15 s.
  const auto end_of = [&](const Side& side, const std::string& alert) {
    const Spans spans = SpansOf(side, "ALERTS{alertname=\"" + alert + "\"}");
    return spans.empty() ? -1.0 : spans.begin()->second.back().end;
  };
  EXPECT_NEAR(end_of(theirs_, "Hysteresis"), 9, kPhaseSeconds);
  EXPECT_NEAR(end_of(ours_, "Hysteresis"), 15, kPhaseSeconds);
  EXPECT_EQ(hook_.TextsOfEnd(theirs_, "differs", "Valued")["text"], "level is 90");
  EXPECT_EQ(hook_.TextsOfEnd(ours_, "differs", "Valued")["text"], "level is 70");
  // Ended under a silence; still firing when it ended.
  EXPECT_THAT(told(theirs_, "differs", "Hushed"), ElementsAre("firing"));
  EXPECT_THAT(told(ours_, "differs", "Hushed"), ElementsAre("firing", "resolved"));
  EXPECT_THAT(told(theirs_, "differs", "Waking"), ElementsAre("firing"));
  EXPECT_THAT(told(ours_, "differs", "Waking"), ElementsAre("firing", "firing"));
  // Answered with 429, and over before the next flush.
  EXPECT_EQ(hook_.Requests(theirs_, "limited"), 1);
  EXPECT_THAT(told(theirs_, "limited", "Limited"), IsEmpty());
  EXPECT_THAT(told(ours_, "limited", "Limited"), ElementsAre("firing", "resolved"));
  // Critical since 7 s, in a group known since 3 s that is looked at every 14 s.
  const auto urgent_at = [&](const Side& side) {
    for (const Hook::Message& message : hook_.Accepted(side, "differs")) {
      for (const std::string& alert : message.alerts) {
        if (alert == "firing Urgent") return page_.Second(message.at);
      }
    }
    return -1.0;
  };
  EXPECT_GT(urgent_at(theirs_), 16);
  EXPECT_NEAR(urgent_at(ours_), 7, kPhaseSeconds);
}

TEST_F(RulesSideBySideTest, TheSameAlertsTransitionsGroupsAndBodies) {
  if (HasFatalFailure()) return;
  for (const Side* side : {&theirs_, &ours_}) {
    ASSERT_TRUE(WaitUntil([&] { return Vector(*side, "pulse and on() load").size() == 1; }))
        << side->name << " does not see the page";
    // Absent before the first poll, perhaps for longer than its `for`.
    ASSERT_TRUE(WaitUntil([&] { return Vector(*side, "ALERTS{alertname=\"Gone\"}").empty(); }))
        << side->name;
  }
  page_.Begin();
  ASSERT_TRUE(WaitForSecond(7));
  Silence("silence", seconds(10));
  ASSERT_TRUE(WaitForSecond(kScriptEnds));

  EXPECT_TRUE(WaitUntil([&] { return hook_.Groups(ours_) == hook_.Groups(theirs_); }, seconds(6)))
      << "from theirs to ours: "
      << json::diff(json(hook_.Groups(theirs_)), json(hook_.Groups(ours_))).dump(1);
  EXPECT_GE(hook_.Groups(ours_).size(), 7u);
  ExpectSameSpans("ALERTS{case=\"\"}", 0);
  ExpectSameSpans("ALERTS_FOR_STATE{case=\"\"}", kPhaseSeconds);
  ExpectSameSpans("{__name__=~\"job:load:.*|loaded:since|too:many|broken\"}", 0);
  ExpectCovers(RuleGroups(theirs_), RuleGroups(ours_), "groups");
  ExpectCovers(Alerts(theirs_), Alerts(ours_), "alerts");
  ExpectDifferences();
}

}  // namespace
}  // namespace tocsin::testing
