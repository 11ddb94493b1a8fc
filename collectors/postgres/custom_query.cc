#include "collectors/postgres/custom_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "collectors/postgres/custom_histogram.h"
#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;
using std::chrono::seconds;

constexpr std::size_t kMostQueries = 100;
constexpr std::size_t kMostMetrics = 100;
constexpr std::size_t kMostLabels = Emitter::kMostLabels - 2;
constexpr int kDefaultRowLimit = 1'000;
constexpr int kMostRows = 100'000;
constexpr Millis kDefaultInterval = seconds(60);
constexpr Millis kLeastInterval = seconds(1);
constexpr Millis kDefaultTimeout = seconds(1);
constexpr Millis kLeastTimeout{10};

bool IsWord(std::string_view text, bool with_colon) {
  const auto starts = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (with_colon && c == ':');
  };
  return !text.empty() && starts(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return starts(c) || (c >= '0' && c <= '9'); });
}

// What a collection, or whoever scrapes it, says of itself.
bool IsOurs(std::string_view name) {
  return name.starts_with("tocsin_") || name.starts_with("pg_scrape_collector_") ||
         name.starts_with("pg_exporter_") || name.starts_with("scrape_") || name == "up" ||
         name == "pg_up";
}

constexpr std::pair<std::string_view, MetricType> kTypes[] = {
    {"gauge", MetricType::kGauge},
    {"counter", MetricType::kCounter},
    {"untyped", MetricType::kUnknown},
    {"histogram", MetricType::kHistogram}};

MetricType ReadType(ConfigReader& reader, std::string_view key) {
  return kTypes[reader.Choice(key, {"gauge", "counter", "untyped", "histogram"}, 0)].second;
}

// `COLUMN: gauge`, or `COLUMN: { type: gauge, metric: NAME, help: "…" }`.
CustomMetric ReadMetric(ConfigReader& metrics, const std::string& column,
                        const CustomQuery& query) {
  CustomMetric metric{.column = column,
                      .name = query.name + "_" + column,
                      .help = "Column " + column + " of the query " + query.name};
  if (metrics.Node(column).kind() == ConfigNode::Kind::kMap) {
    ConfigReader reader = metrics.Map(column);
    metric.name = reader.String("metric", metric.name);
    metric.help = reader.String("help", metric.help);
    metric.type = ReadType(reader, "type");
    if (!IsWord(metric.name, true)) {
      reader.Fail("metric", "\"" + metric.name + "\" is not a metric's name");
    } else if (IsOurs(metric.name)) {
      reader.Fail("metric", "\"" + metric.name + "\" is a name that Tocsin keeps for itself");
    }
    reader.Finish();
    return metric;
  }
  metric.type = ReadType(metrics, column);
  if (!IsWord(metric.name, true)) {
    metrics.Fail(column, "\"" + metric.name +
                             "\" is not a metric's name: give one with { type: …, metric: NAME }");
  } else if (IsOurs(metric.name)) {
    metrics.Fail(column, "\"" + metric.name + "\" is a name that Tocsin keeps for itself");
  }
  return metric;
}

CustomQuery ReadQuery(ConfigReader& reader, std::string_view added_label) {
  CustomQuery query;
  query.name = reader.RequiredString("name");
  query.collector = "queries." + query.name;
  query.sql = reader.RequiredString("sql");
  query.database = reader.String("database");
  query.labels = reader.Strings("labels");
  query.interval = reader.Duration("interval", kDefaultInterval, kLeastInterval);
  query.timeout = reader.Duration("timeout", kDefaultTimeout, kLeastTimeout);
  query.row_limit = static_cast<int>(reader.Int("limit", kDefaultRowLimit, 1, kMostRows));
  std::set<std::string> names;
  for (const auto& label : query.labels) {
    if (!IsWord(label, false) || label.starts_with("__")) {
      reader.Fail("labels", "\"" + label + "\" is not a label's name: write AS in the query");
    } else if (label == added_label) {
      reader.Fail("labels", "\"" + label + "\" is a label that every series has with these names");
    } else if (!names.insert(label).second) {
      reader.Fail("labels", "\"" + label + "\" is there twice");
    }
  }
  if (query.labels.size() > kMostLabels) {
    reader.Fail("labels", fmt::format("at most {} labels", kMostLabels));
  }
  ConfigReader metrics = reader.Map("metrics");
  const auto& entries = metrics.node().entries();
  if (entries.empty()) {
    reader.Fail("metrics", "at least one column that becomes a metric is needed");
  }
  if (entries.size() > kMostMetrics) {
    reader.Fail("metrics", fmt::format("at most {} metrics", kMostMetrics));
  }
  for (const auto& [key, value] : entries) {
    query.metrics.push_back(ReadMetric(metrics, key.scalar(), query));
    if (names.contains(key.scalar())) {
      metrics.Fail(key.scalar(), "this column is a label already");
    }
    if (query.metrics.back().type == MetricType::kHistogram && names.contains("le")) {
      metrics.Fail(key.scalar(), "a histogram has its own label \"le\"");
    }
  }
  metrics.Finish();
  reader.Finish();
  return query;
}

std::optional<int> FindColumn(const Rows& rows, std::string_view name) {
  for (int column = 0; column < rows.columns(); ++column) {
    if (rows.ColumnName(column) == name) return column;
  }
  return std::nullopt;
}

// Those columns, in that order. Errors: kNotFound.
Result<std::vector<int>> FindColumns(const Rows& rows, const std::vector<std::string>& names) {
  std::vector<int> columns;
  for (const std::string& name : names) {
    const auto column = FindColumn(rows, name);
    if (!column) {
      std::string all;
      for (int i = 0; i < rows.columns(); ++i) {
        all.append(i == 0 ? "" : ", ").append(rows.ColumnName(i));
      }
      return Error{ErrorCode::kNotFound,
                   fmt::format("the answer has no column \"{}\" (it has: {})", name, all)};
    }
    columns.push_back(*column);
  }
  return columns;
}

std::vector<std::string> ColumnsOf(const CustomMetric& metric) {
  if (metric.type != MetricType::kHistogram) return {metric.column};
  std::vector<std::string> names;
  for (const auto suffix : kHistogramSuffixes) names.push_back(metric.column + std::string(suffix));
  return names;
}

// Errors do not say what the value is: that is the user's data, and errors are read by others.
Result<> CheckValue(const Rows& rows, int row, const CustomMetric& metric,
                    const std::vector<int>& columns) {
  const auto where = [&] { return fmt::format("column \"{}\" of row {}", metric.column, row + 1); };
  if (metric.type == MetricType::kHistogram) {
    const auto histogram = ReadHistogram(rows, row, columns);
    if (!histogram.ok()) return histogram.error().WithContext(where());
    return {};
  }
  if (rows.IsNull(row, columns[0]) || rows.Number(row, columns[0])) return {};
  return Error{ErrorCode::kCorruption, where() + " is not a number"};
}

// NULL: the row says nothing of it.
void AddValue(const Rows& rows, int row, const CustomMetric& metric,
              const std::vector<int>& columns, Emitter::FamilyId family,
              Emitter::LabelValues labels, Emitter& out) {
  if (metric.type != MetricType::kHistogram) {
    if (const auto value = rows.Number(row, columns[0])) out.Add(family, labels, *value);
    return;
  }
  const auto histogram = ReadHistogram(rows, row, columns);
  if (!histogram.ok() || !*histogram) return;
  out.AddHistogram(family, labels,
                   {(*histogram)->upper_bounds, (*histogram)->counts, (*histogram)->sum});
}

// Its own limit, unless the collection ends before.
std::string SettingsSql(const CustomQuery& query, Millis left) {
  return fmt::format(
      "SELECT set_config('statement_timeout', '{}', true); SET LOCAL search_path TO DEFAULT;",
      std::min(left, query.timeout).count());
}

}  // namespace

std::vector<CustomQuery> ReadCustomQueries(ConfigReader& target, std::string_view added_label) {
  std::vector<CustomQuery> queries;
  std::set<std::string> names;
  std::map<std::string, std::vector<std::string>> labels_of;  // By metric.
  for (ConfigReader& reader : target.Maps("queries")) {
    CustomQuery query = ReadQuery(reader, added_label);
    if (!names.insert(query.name).second) {
      reader.Fail("name", "another query is named \"" + query.name + "\"");
    }
    for (const auto& metric : query.metrics) {
      const auto [known, is_new] = labels_of.try_emplace(metric.name, query.labels);
      if (!is_new && known->second != query.labels) {
        reader.Fail("metrics", "metric \"" + metric.name + "\" has other labels above");
      }
    }
    queries.push_back(std::move(query));
  }
  if (queries.size() > kMostQueries) {
    target.Fail("queries", fmt::format("at most {} queries", kMostQueries));
  }
  return queries;
}

Result<> CollectCustomQuery(SubjectRun& run) {
  const CustomQuery& query = *run.query;
  const auto left = std::chrono::floor<Millis>(run.until - run.context.clock.SteadyNow());
  if (left < kLeastTimeout) {
    return Error{ErrorCode::kDeadlineExceeded, "there is no time left"};
  }
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          run.connection.QueryReadOnly(SettingsSql(query, left), query.sql));

  TOCSIN_ASSIGN_OR_RETURN(const auto label_columns, FindColumns(rows, query.labels));
  std::vector<std::vector<int>> columns;
  for (const auto& metric : query.metrics) {
    TOCSIN_ASSIGN_OR_RETURN(auto found, FindColumns(rows, ColumnsOf(metric)));
    columns.push_back(std::move(found));
  }
  if (rows.size() > query.row_limit) {
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("the answer has {} rows, more than the limit of {}", rows.size(),
                             query.row_limit)};
  }
  for (int row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TOCSIN_RETURN_IF_ERROR(CheckValue(rows, row, query.metrics[i], columns[i]));
    }
  }

  const std::vector<std::string_view> labels(query.labels.begin(), query.labels.end());
  std::vector<std::string_view> values(labels.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const CustomMetric& metric = query.metrics[i];
    const auto family =
        run.out.Declare(metric.name, metric.help, metric.type, Emitter::LabelValues(labels));
    for (int row = 0; row < rows.size(); ++row) {
      for (std::size_t j = 0; j < values.size(); ++j) values[j] = rows.Text(row, label_columns[j]);
      AddValue(rows, row, metric, columns[i], family, Emitter::LabelValues(values), run.out);
    }
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
