#include "daemon/poll/target_page.h"

namespace tocsin::poll {

std::shared_ptr<const model::MetricBatch> VerdictsOf(const TargetPage& page) {
  auto batch = std::make_shared<model::MetricBatch>();
  batch->AddGauge("up", "Whether the last collection of the target succeeded.", page.up ? 1 : 0);
  batch->AddGauge("scrape_duration_seconds", "How long the last collection took.",
                  page.duration_seconds);
  if (!page.up_metric.empty()) batch->AddGauge(page.up_metric, page.up_help, page.up ? 1 : 0);
  return batch;
}

}  // namespace tocsin::poll
