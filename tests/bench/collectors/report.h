#pragma once

// What was measured, as a table for people and JSON for programs.

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::bench {

struct Row {
  std::string work;
  std::string unit;                // "ms", "MB"; empty for a count.
  std::optional<double> exporter;  // What the exporter beside it took, if there was one.
  double tocsin = 0;
  std::string goal;  // In words: "≤ 1/2", "1000"; empty: for information.
  bool met = true;
};

std::string Table(const std::vector<Row>& rows);

// Errors: kIoError.
Result<> WriteJson(const std::string& path, const std::vector<Row>& rows);

}  // namespace tocsin::bench
