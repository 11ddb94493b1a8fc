#include "collectors/http/http_collector.h"

#include "collectors/http/expectations.h"
#include "collectors/http/http.h"
#include "daemon/base/http_config.h"

namespace tocsin::collectors::http {
namespace {

using model::MetricBatch;
using model::MetricType;

// Whether each thing to extract was found: a part that fails costs only itself.
void WriteExtraction(std::string_view what, std::string_view pointer, bool found,
                     MetricBatch& batch) {
  batch.Add(batch.DeclareFamily("tocsin_probe_extraction_success",
                                "1 if the answer held what was to be taken out of it.",
                                MetricType::kGauge, {"extract", "json"}),
            {what, pointer}, found ? 1 : 0);
}

bool NeedsJson(const ProbeConfig& config) {
  return !config.expect.json.empty() || !config.numbers.empty() || !config.pools.empty();
}

// A page that was reached and did not answer in time: its pool is taken for exhausted.
// A name that does not resolve or a port that cannot be reached says nothing of it.
bool SpeaksOfSaturation(const HttpExchange& exchange, const ProbeVerdict& verdict) {
  const HttpStage stage = exchange.response.stage;
  return verdict.failure == FailureReason::kTimeout &&
         (stage == HttpStage::kTls || stage == HttpStage::kProcessing ||
          stage == HttpStage::kTransfer);
}

}  // namespace

HttpRequest ProbeCollector::Start(const CollectContext& context) {
  retries_left_ = config_->retries;
  return Attempt(context);
}

HttpRequest ProbeCollector::Attempt(const CollectContext& context) const {
  HttpRequest request = config_->request;
  RenewCredentials(request, files_);
  if (retries_left_ > 0) {
    const auto left = context.deadline - context.clock.SteadyNow();
    request.time_limit = std::chrono::duration_cast<Millis>(left) / (retries_left_ + 1);
  }
  return request;
}

std::optional<HttpRequest> ProbeCollector::Again(const CollectContext& context,
                                                 const HttpExchange& exchange) {
  if (retries_left_ == 0) return std::nullopt;
  if (exchange.error && exchange.error->code == ErrorCode::kCancelled) return std::nullopt;
  const ProbeVerdict verdict = Judge(exchange, ReadJson(exchange), config_->expect).verdict;
  if (!verdict.failure) return std::nullopt;
  history_.Count(exchange.response.duration_seconds, !exchange.error, verdict);
  --retries_left_;
  return Attempt(context);
}

std::optional<JsonDocument> ProbeCollector::ReadJson(const HttpExchange& exchange) const {
  if (exchange.error || !NeedsJson(*config_)) return std::nullopt;
  return JsonDocument::Parse(exchange.response.body);
}

Result<> ProbeCollector::Finish(const CollectContext& context, HttpExchange exchange,
                                MetricBatch& batch) {
  if (exchange.error && exchange.error->code == ErrorCode::kCancelled) return *exchange.error;
  const std::optional<JsonDocument> json = ReadJson(exchange);
  const Judgement judgement = Judge(exchange, json, config_->expect);
  WriteHttpProbe(exchange, judgement.verdict, batch);
  history_.Count(exchange.response.duration_seconds, !exchange.error, judgement.verdict);
  history_.Write(batch);
  if (judgement.verdict.failure) batch.AddNote("the probe failed: " + judgement.explanation);
  ExtractNumbers(json, batch);
  ExtractPools(json, exchange, judgement.verdict, context.clock.SteadyNow(), batch);
  return Ok{};
}

void ProbeCollector::ExtractNumbers(const std::optional<JsonDocument>& json,
                                    MetricBatch& batch) const {
  for (const NumberExtraction& number : config_->numbers) {
    std::optional<double> value;
    if (json) {
      if (const auto place = json->root().At(number.pointer)) value = place->Number();
    }
    WriteExtraction(number.metric, number.pointer, value.has_value(), batch);
    if (!value) continue;
    const std::vector<model::LabelView> labels(number.labels.begin(), number.labels.end());
    const auto family = batch.DeclareFamily(number.metric, number.help, number.type);
    batch.AddSample(family, number.metric, labels, *value * number.scale);
  }
}

void ProbeCollector::ExtractPools(const std::optional<JsonDocument>& json,
                                  const HttpExchange& exchange, const ProbeVerdict& verdict,
                                  SteadyTime now, MetricBatch& batch) {
  if (config_->pools.empty()) return;
  if (SpeaksOfSaturation(exchange, verdict)) {
    pools_.AssumeSaturated(config_->pools, now);
    pools_.Write(batch);
    return;
  }
  if (exchange.error) {
    // A connection refused or reset says nothing of the pool: what it last said stands
    // for a while, so that an exhausted pool does not look resolved.
    pools_.Forget(now);
    pools_.Write(batch);
    return;
  }
  std::vector<PoolReading> readings;
  for (const PoolExtraction& extraction : config_->pools) {
    auto found = json ? ReadPools(*json, extraction) : std::vector<PoolReading>();
    WriteExtraction("pool " + extraction.name, extraction.pointer, !found.empty(), batch);
    for (PoolReading& reading : found) {
      if (reading.numbers.capacity_assumed) {
        batch.AddNote("pool " + reading.pool +
                      ": the page does not say the capacity; set capacity or max_overflow");
      }
      readings.push_back(std::move(reading));
    }
  }
  if (readings.empty() && verdict.failure) {
    pools_.Forget(now);  // An error page instead of the pool's: as above.
  } else {
    pools_.Remember(std::move(readings), now);
  }
  if (pools_.forgotten() > 0) {
    batch.AddCounter("tocsin_pools_forgotten_total", "Pools dropped because of their number.",
                     static_cast<double>(pools_.forgotten()));
  }
  pools_.Write(batch);
}

ParsedTarget ParseHttpTarget(ConfigReader& reader, FileSystem& files) {
  auto config = std::make_shared<const ProbeConfig>(ParseProbeConfig(reader, files));
  ParsedTarget target;
  target.instance = config->request.url;
  target.address = config->request.url;
  target.make = [config](const CollectorEnvironment& environment) -> AnyCollector {
    return std::make_unique<ProbeCollector>(config, environment.files);
  };
  return target;
}

}  // namespace tocsin::collectors::http
