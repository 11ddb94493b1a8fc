#include "rules/engine/rule_test_file.h"

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"
#include "rules/engine/yaml_number.h"
#include "rules/promql/parser.h"

namespace tocsin::rules {
namespace {

// Evaluations of one test: a bound on evaluation time divided by interval.
constexpr std::int64_t kMaxEvaluations = 1'000'000;

model::Labels ReadLabels(ConfigReader& reader, std::string_view key) {
  return model::Labels::FromMap(reader.StringMap(key));
}

model::Labels ReadMetric(ConfigReader& reader, std::string_view key) {
  const std::string text = reader.String(key);
  if (text.empty()) return {};
  auto labels = promql::ParseMetric(text);
  if (labels.ok()) return std::move(labels).value();
  reader.Fail(key, labels.error().message);
  return {};
}

// promtool reads the series as the lines of one text, whose first says "load".
void ReadSeries(ConfigReader& reader, RuleTest& test) {
  const std::string metric = reader.RequiredString("series");
  const std::string line = metric + " " + reader.String("values");
  reader.Finish();
  if (metric.empty()) return;
  auto series = promql::ParseSeriesDescription(TrimSpace(line));
  if (!series.ok()) return reader.Fail("values", series.error().message);
  if (series->labels.empty()) return reader.Fail("series", "\"series\" is required");
  // Of a series that is written twice the later values hold.
  std::erase_if(test.series, [&](const auto& known) { return known.labels == series->labels; });
  test.series.push_back(std::move(series).value());
}

void ReadAlertTest(ConfigReader& reader, RuleTest& test) {
  AlertExpectation expectation;
  expectation.eval_time = reader.Duration("eval_time", Millis(0));
  expectation.alertname = reader.RequiredString("alertname");
  for (ConfigReader& alert : reader.Maps("exp_alerts")) {
    expectation.alerts.push_back(
        {ReadLabels(alert, "exp_labels").With(model::kAlertName, expectation.alertname),
         ReadLabels(alert, "exp_annotations")});
    alert.Finish();
  }
  reader.Finish();
  test.alerts.push_back(std::move(expectation));
}

void ReadExprTest(ConfigReader& reader, RuleTest& test) {
  ExprExpectation expectation;
  expectation.text = reader.RequiredString("expr");
  expectation.eval_time = reader.Duration("eval_time", Millis(0));
  if (!expectation.text.empty()) {
    auto expr = promql::Parse(expectation.text);
    if (expr.ok()) {
      expectation.expr = std::move(expr).value();
    } else {
      reader.Fail("expr", expr.error().message);
    }
  }
  for (ConfigReader& sample : reader.Maps("exp_samples")) {
    ExpectedSample expected;
    expected.labels = ReadMetric(sample, "labels");
    expected.value = ReadYamlNumber(sample, "value").value_or(0);
    if (sample.Has("histogram")) sample.Fail("histogram", "native histograms are not supported");
    sample.Finish();
    expectation.samples.push_back(std::move(expected));
  }
  reader.Finish();
  if (expectation.expr != nullptr) test.expressions.push_back(std::move(expectation));
}

// Unix seconds or RFC 3339.
WallTime ReadStart(ConfigReader& reader) {
  const std::string text = reader.String("start_timestamp", "0");
  if (const auto seconds = ParseInt(text)) return FromUnixMillis(*seconds * 1000);
  const auto time = ParseTime(text);
  if (time.ok()) return *time;
  reader.Fail("start_timestamp", time.error().message);
  return {};
}

RuleTest ReadTest(ConfigReader& reader, Millis evaluation_interval) {
  RuleTest test;
  test.line = reader.node().line();
  test.name = reader.String("name");
  test.interval = reader.Duration("interval", Millis(0));
  if (test.interval == Millis(0)) test.interval = evaluation_interval;
  test.start = ReadStart(reader);
  for (ConfigReader& series : reader.Maps("input_series")) ReadSeries(series, test);
  for (ConfigReader& alert : reader.Maps("alert_rule_test")) ReadAlertTest(alert, test);
  for (ConfigReader& expr : reader.Maps("promql_expr_test")) ReadExprTest(expr, test);
  test.external_labels = ReadLabels(reader, "external_labels");
  test.external_url = reader.String("external_url");
  Millis latest{0};
  for (const auto& alert : test.alerts) latest = std::max(latest, alert.eval_time);
  for (const auto& expr : test.expressions) latest = std::max(latest, expr.eval_time);
  if (latest / evaluation_interval > kMaxEvaluations) {
    reader.Fail("alert_rule_test", "more than a million evaluations");
  }
  reader.Finish();
  return test;
}

std::string FolderOf(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

// Groups that `order` names come first, in that order.
void Arrange(RuleSet& rules, const std::vector<std::string>& order) {
  const auto place = [&order](const RuleGroup& group) {
    return std::find(order.begin(), order.end(), group.name) - order.begin();
  };
  std::stable_sort(
      rules.groups.begin(), rules.groups.end(),
      [&place](const RuleGroup& a, const RuleGroup& b) { return place(a) < place(b); });
}

}  // namespace

Result<RuleTestFile> LoadRuleTestFile(const std::string& file, FileSystem& files,
                                      ConfigErrors& errors) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string text, files.Read(file));
  RuleTestFile out;
  ConfigReader reader(ConfigNode::Parse(text, file, ConfigNode::Expand::kNothing, errors), errors);
  RulesConfig rules;
  rules.files.clear();
  for (const std::string_view list : {"rule_files", "group_eval_order"}) {
    if (reader.Node(list).kind() == ConfigNode::Kind::kScalar) reader.Fail(list, "expected a list");
  }
  for (const std::string& entry : reader.Strings("rule_files")) {
    const std::string pattern = entry.starts_with('/') ? entry : FolderOf(file) + entry;
    TOCSIN_ASSIGN_OR_RETURN(const auto paths, files.Glob(pattern));
    if (paths.empty()) out.unmatched.push_back(pattern);
    rules.files.insert(rules.files.end(), paths.begin(), paths.end());
  }
  out.evaluation_interval = reader.Duration("evaluation_interval", Millis(0));
  if (out.evaluation_interval == Millis(0)) out.evaluation_interval = std::chrono::minutes(1);
  rules.interval = out.evaluation_interval;
  out.fuzzy_compare = reader.Bool("fuzzy_compare", false);
  const auto order = reader.Strings("group_eval_order");
  for (auto name = order.begin(); name != order.end(); ++name) {
    if (std::find(order.begin(), name, *name) == name) continue;
    reader.Fail("group_eval_order", "group name repeated in evaluation order: " + *name);
  }
  for (ConfigReader& test : reader.Maps("tests")) {
    out.tests.push_back(ReadTest(test, out.evaluation_interval));
  }
  reader.Finish();
  out.rules = LoadRuleSet(rules, files, "", errors);
  Arrange(out.rules, order);
  return out;
}

}  // namespace tocsin::rules
