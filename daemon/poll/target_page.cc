#include "daemon/poll/target_page.h"

#include "daemon/base/version.h"

namespace tocsin::poll {
namespace {

using model::MetricBatch;

void AddExporterVerdicts(const TargetPage& page, MetricBatch& batch) {
  if (!page.up_metric.empty()) batch.AddGauge(page.up_metric, page.up_help, page.up ? 1 : 0);
  if (page.exporter.empty()) return;
  batch.Add(batch.DeclareFamily(BuildInfoName(page.exporter),
                                "The version of Tocsin, which stands in for the exporter.",
                                model::MetricType::kGauge, {kBuildVersion}),
            {Version()}, 1);
}

}  // namespace

std::shared_ptr<const MetricBatch> VerdictsOf(const TargetPage& page) {
  auto batch = std::make_shared<MetricBatch>();
  batch->AddGauge("up", "Whether the last collection of the target succeeded.", page.up ? 1 : 0);
  batch->AddGauge("scrape_duration_seconds", "How long the last collection took.",
                  page.duration_seconds);
  AddExporterVerdicts(page, *batch);
  return batch;
}

std::shared_ptr<const MetricBatch> ExporterVerdictsOf(const TargetPage& page) {
  auto batch = std::make_shared<MetricBatch>();
  AddExporterVerdicts(page, *batch);
  return batch;
}

std::string BuildInfoName(std::string_view exporter) {
  return exporter.empty() ? std::string() : std::string(exporter) + "_build_info";
}

}  // namespace tocsin::poll
