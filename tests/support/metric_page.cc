#include "tests/support/metric_page.h"

#include <vector>

#include "daemon/model/labels.h"

namespace tocsin::testing {

MetricPage PageOfNumbers(const model::MetricBatch& batch) {
  MetricPage page;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    std::vector<model::LabelView> labels = {{model::kMetricName, row.name}};
    for (std::uint32_t j = 0; j < row.label_count; ++j) {
      labels.push_back(row.label(j));
    }
    page[model::Labels::FromPairs(labels).Text()] = row.value;
  }
  return page;
}

}  // namespace tocsin::testing
