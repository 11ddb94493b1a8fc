#pragma once

// A query of the user's own: its columns become labels and metrics.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::postgres {

struct SubjectRun;

struct CustomMetric {
  std::string column;
  std::string name;
  model::MetricType type = model::MetricType::kGauge;
  std::string help;
};

struct CustomQuery {
  std::string name;
  std::string collector;  // "queries.NAME": its label in pg_scrape_collector_success.
  std::string sql;
  std::string database;             // Where it runs; empty: where the target is connected to.
  std::vector<std::string> labels;  // Columns, and labels of the same names.
  std::vector<CustomMetric> metrics;
  Millis interval{};  // At least 1 ms: its rows are shown in between.
  Millis timeout{};
  int row_limit = 0;
};

// Reads the key `queries` of a target; errors go to the reader's. No two queries have
// the same name, and metrics of one name have the same labels; none has `added_label`,
// which every series gets (empty: none does).
std::vector<CustomQuery> ReadCustomQueries(ConfigReader& target, std::string_view added_label);

// Runs `run.query`, one statement, in a transaction that is read-only and rolled back,
// under its own deadline and the role's own search_path.
// Errors name what is wrong with the answer: a column that is not there, a value that
// is not a number, more rows than the limit; nothing of such an answer is shown.
Result<> CollectCustomQuery(SubjectRun& run);

}  // namespace tocsin::collectors::postgres
