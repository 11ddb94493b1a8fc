#include "rules/engine/rule_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "daemon/base/text.h"
#include "rules/engine/hand_evaluation.h"
#include "rules/engine/rule_environment.h"
#include "rules/engine/rule_test_file.h"
#include "rules/engine/rule_test_store.h"
#include "rules/engine/running_group.h"

namespace tocsin::rules {
namespace {

std::string AlertText(const model::Labels& labels, const model::Labels& annotations) {
  return "labels " + labels.Text() + " annotations " + annotations.Text();
}

std::string ListText(std::vector<std::string> lines, const std::string& indent) {
  if (lines.empty()) return " none";
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += "\n" + indent + line;
  return out;
}

// Fuzzily, neighbours among the doubles are the same. NaN is never what was
// expected, as in promtool.
bool SameValue(double expected, double got, bool fuzzy) {
  if (expected == got) return true;
  return fuzzy &&
         (std::nextafter(expected, -INFINITY) == got || std::nextafter(expected, INFINITY) == got);
}

// One test: its series, its rules, and time that passes.
class TestRun {
 public:
  TestRun(const RuleTestFile& file, const RuleTest& test, const promql::Engine& promql,
          const Clock& clock)
      : file_(file),
        test_(test),
        promql_(promql),
        clock_(clock),
        environment_(clock, promql, store_, store_, sink_, sources_, state_, metrics_,
                     Options(test)),
        loaded_(test.series.size()) {
    for (const RuleGroup& group : file.rules.groups) {
      groups_.push_back(std::make_shared<RunningGroup>(group, environment_, lane_));
    }
  }

  std::vector<std::string> Run() {
    // Expectations by the evaluation that is the last at or before their time.
    std::multimap<std::int64_t, const AlertExpectation*> alerts;
    std::int64_t last = 0;
    for (const auto& alert : test_.alerts) {
      alerts.emplace(alert.eval_time / file_.evaluation_interval, &alert);
      last = std::max(last, alert.eval_time / file_.evaluation_interval);
    }
    for (const auto& expr : test_.expressions) {
      last = std::max(last, expr.eval_time / file_.evaluation_interval);
    }
    for (std::int64_t i = 0; i <= last; ++i) {
      LoadTill(i * file_.evaluation_interval);
      for (const auto& group : groups_) {
        group->EvaluateSlot(test_.start + i * file_.evaluation_interval);
        FindErrors(*group, i * file_.evaluation_interval);
      }
      const auto [begin, end] = alerts.equal_range(i);
      for (auto it = begin; it != end; ++it) CheckAlerts(*it->second);
    }
    for (const auto& expr : test_.expressions) CheckExpression(expr);
    return std::move(findings_);
  }

 private:
  static RuleEngine::Options Options(const RuleTest& test) {
    RuleEngine::Options options;
    options.external_labels = test.external_labels;
    options.external_url = test.external_url;
    return options;
  }

  // Adds the samples up to `till` after the start: no rule sees further, and neither
  // does an expression see what came after the last evaluation.
  void LoadTill(Millis till) {
    for (std::size_t i = 0; i < test_.series.size(); ++i) {
      const auto& series = test_.series[i];
      std::size_t& next = loaded_[i];
      for (; next < series.values.size(); ++next) {
        const Millis at = static_cast<std::int64_t>(next) * test_.interval;
        if (at > till) break;
        if (series.values[next].omitted) continue;
        store_.Add(series.labels, ToUnixMillis(test_.start + at), series.values[next].value);
      }
    }
  }

  std::string Place(const std::string& what, Millis at) const {
    const std::string name = test_.name.empty() ? "" : fmt::format(" \"{}\"", test_.name);
    return fmt::format("line {}: test{}: {} at {}", test_.line, name, what, FormatDuration(at));
  }

  void FindErrors(const RunningGroup& group, Millis at) {
    for (const RunningRule& rule : group.rules()) {
      if (rule.last_error.empty() || !failed_.emplace(&rule, rule.last_error).second) continue;
      findings_.push_back(Place(fmt::format("rule \"{}\"", rule.rule.name), at) + ": " +
                          rule.last_error);
    }
  }

  void CheckAlerts(const AlertExpectation& expectation) {
    std::vector<std::string> expected;
    std::vector<std::string> got;
    for (const auto& alert : expectation.alerts) {
      expected.push_back(AlertText(alert.labels, alert.annotations));
    }
    for (const auto& group : groups_) {
      for (const auto& rule : group->Status()->rules) {
        if (rule.kind != Rule::Kind::kAlert || rule.name != expectation.alertname) continue;
        for (const auto& alert : rule.alerts) {
          if (alert.state != AlertState::kFiring) continue;
          got.push_back(AlertText(alert.labels, alert.annotations));
        }
      }
    }
    Compare(fmt::format("alert \"{}\"", expectation.alertname), expectation.eval_time, expected,
            got);
  }

  void Compare(const std::string& what, Millis at, std::vector<std::string> expected,
               std::vector<std::string> got) {
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    if (expected == got) return;
    findings_.push_back(Place(what, at) + "\n  expected:" + ListText(expected, "    ") +
                        "\n  got:" + ListText(got, "    "));
  }

  void CheckExpression(const ExprExpectation& expectation) {
    const std::string what = fmt::format("expression `{}`", expectation.text);
    const auto result = promql_.Instant(
        *expectation.expr, store_, ToUnixMillis(test_.start + expectation.eval_time), {clock_});
    if (!result.ok()) {
      findings_.push_back(Place(what, expectation.eval_time) + ": " + result.error().message);
      return;
    }
    promql::Vector vector;
    if (const auto* samples = std::get_if<promql::Vector>(&result->value)) {
      vector = *samples;
    } else if (const auto* scalar = std::get_if<promql::Scalar>(&result->value)) {
      vector.push_back({model::Labels(), scalar->time_ms, scalar->value});
    } else {
      findings_.push_back(Place(what, expectation.eval_time) +
                          ": rule result is not a vector or scalar");
      return;
    }
    if (SameSamples(expectation.samples, vector)) return;
    std::vector<std::string> expected;
    std::vector<std::string> got;
    for (const auto& sample : expectation.samples) {
      expected.push_back(sample.labels.Text() + " " + FormatDouble(sample.value) +
                         (std::isnan(sample.value) ? " (equals nothing, as in promtool)" : ""));
    }
    for (const auto& sample : vector) {
      got.push_back(sample.labels.Text() + " " + FormatDouble(sample.value));
    }
    findings_.push_back(Place(what, expectation.eval_time) + "\n  expected:" +
                        ListText(expected, "    ") + "\n  got:" + ListText(got, "    "));
  }

  bool SameSamples(std::vector<ExpectedSample> expected, promql::Vector got) const {
    if (expected.size() != got.size()) return false;
    const auto by_labels = [](const auto& a, const auto& b) { return a.labels < b.labels; };
    std::sort(expected.begin(), expected.end(), by_labels);
    std::sort(got.begin(), got.end(), by_labels);
    return std::equal(expected.begin(), expected.end(), got.begin(),
                      [this](const ExpectedSample& e, const promql::VectorSample& g) {
                        return e.labels == g.labels &&
                               SameValue(e.value, g.value, file_.fuzzy_compare);
                      });
  }

  const RuleTestFile& file_;
  const RuleTest& test_;
  const promql::Engine& promql_;
  const Clock& clock_;
  RuleTestStore store_;
  NoSink sink_;
  NoSources sources_;
  AlertStateStore state_;
  MetricRegistry metrics_;
  NoLane lane_;
  RuleEnvironment environment_;
  std::vector<std::size_t> loaded_;  // Values of each series of the test, from the first.
  std::vector<std::shared_ptr<RunningGroup>> groups_;
  std::map<const RunningRule*, std::string> failed_;  // Each rule's first error is enough.
  std::vector<std::string> findings_;
};

}  // namespace

Result<RuleTestReport> RunRuleTests(const std::string& file, FileSystem& files, const Clock& clock,
                                    const promql::PromqlConfig& promql) {
  ConfigErrors errors;
  TOCSIN_ASSIGN_OR_RETURN(const RuleTestFile tests, LoadRuleTestFile(file, files, errors));
  if (!errors.empty()) return Error{ErrorCode::kInvalidArgument, errors.Text()};
  promql::PromqlConfig config = promql;
  config.subquery_step = tests.evaluation_interval;
  const promql::Engine engine(config);
  RuleTestReport report;
  for (const std::string& pattern : tests.unmatched) {
    report.warnings.push_back(file + ": no file matches the pattern " + pattern);
  }
  for (const RuleTest& test : tests.tests) {
    ++report.tests;
    for (std::string& finding : TestRun(tests, test, engine, clock).Run()) {
      report.findings.push_back(std::move(finding));
    }
  }
  return report;
}

}  // namespace tocsin::rules
