#pragma once

// What was measured.

#include <string>
#include <vector>

#include "tests/bench/conclusion.h"

namespace tocsin::bench {

struct Row {
  std::string work;
  std::string unit;                // "ms", "MB", "rules/s".
  bool more_is_better = false;     // Of the unit.
  double goal = 0;                 // How many times better than Prometheus Tocsin is to be.
  std::vector<double> prometheus;  // One value per run; the runs are pairs.
  std::vector<double> tocsin;

  double PrometheusMedian() const;
  double TocsinMedian() const;
  // The median of the pairs' ratios: how many times better Tocsin was.
  double Ratio() const;
  bool Met() const { return Ratio() >= goal; }
};

Report MakeReport(const std::vector<Row>& rows);

}  // namespace tocsin::bench
