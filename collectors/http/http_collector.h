#pragma once

// One http target: asks, judges, extracts, and keeps the history between probes.

#include <memory>
#include <optional>

#include "collectors/collector.h"
#include "collectors/http/json_document.h"
#include "collectors/http/pools.h"
#include "collectors/http/probe_config.h"
#include "collectors/http/probe_metrics.h"

namespace tocsin::collectors::http {

class ProbeCollector : public HttpCollector {
 public:
  // `files` must outlive it.
  ProbeCollector(std::shared_ptr<const ProbeConfig> config, FileSystem& files)
      : config_(std::move(config)), files_(files) {}

  HttpRequest Start(const CollectContext& context) override;

  // Once more after a failure, while the configuration's retries last. The attempts
  // share the time there is.
  std::optional<HttpRequest> Again(const CollectContext& context,
                                   const HttpExchange& exchange) override;

  // Errors: kCancelled only; any other end of the exchange is an answer.
  Result<> Finish(const CollectContext& context, HttpExchange exchange,
                  model::MetricBatch& batch) override;

 private:
  HttpRequest Attempt(const CollectContext& context) const;
  std::optional<JsonDocument> ReadJson(const HttpExchange& exchange) const;
  void ExtractNumbers(const std::optional<JsonDocument>& json, model::MetricBatch& batch) const;
  void ExtractPools(const std::optional<JsonDocument>& json, const HttpExchange& exchange,
                    const ProbeVerdict& verdict, SteadyTime now, model::MetricBatch& batch);

  std::shared_ptr<const ProbeConfig> config_;
  FileSystem& files_;
  int retries_left_ = 0;  // Of this collection.
  ProbeHistory history_;
  PoolMemory pools_;
};

}  // namespace tocsin::collectors::http
