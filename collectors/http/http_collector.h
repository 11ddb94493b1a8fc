#pragma once

// One http target: asks, judges, extracts, and keeps the history between probes.

#include <memory>

#include "collectors/collector.h"
#include "collectors/http/json_document.h"
#include "collectors/http/pools.h"
#include "collectors/http/probe_config.h"
#include "collectors/http/probe_metrics.h"

namespace tocsin::collectors::http {

class ProbeCollector : public HttpCollector {
 public:
  explicit ProbeCollector(std::shared_ptr<const ProbeConfig> config) : config_(std::move(config)) {}

  HttpRequest Start(const CollectContext& context) override;

  // Errors: kCancelled only; any other end of the exchange is an answer.
  Result<> Finish(const CollectContext& context, HttpExchange exchange,
                  model::MetricBatch& batch) override;

 private:
  void ExtractNumbers(const std::optional<JsonDocument>& json, model::MetricBatch& batch) const;
  void ExtractPools(const std::optional<JsonDocument>& json, const HttpExchange& exchange,
                    const ProbeVerdict& verdict, SteadyTime now, model::MetricBatch& batch);

  std::shared_ptr<const ProbeConfig> config_;
  ProbeHistory history_;
  PoolMemory pools_;
};

}  // namespace tocsin::collectors::http
