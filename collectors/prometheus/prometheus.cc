#include "collectors/prometheus/prometheus.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/base/http_config.h"
#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/formats/repeated_page.h"
#include "daemon/model/relabel.h"

namespace tocsin::collectors::prometheus {
namespace {

using model::MetricBatch;

constexpr std::int64_t kDefaultBodyLimitBytes = 64 << 20;
constexpr int kStatusOk = 200;
constexpr int kStatusUnauthorized = 401;
constexpr int kStatusForbidden = 403;

struct ScrapeConfig {
  HttpRequest request;
  bool honor_timestamps = true;
  formats::ParseLimits limits;
  model::RelabelRules relabel;
};

class ScrapeCollector : public HttpCollector {
 public:
  explicit ScrapeCollector(std::shared_ptr<const ScrapeConfig> config)
      : config_(std::move(config)) {}

  HttpRequest Start(const CollectContext& context) override {
    HttpRequest request = config_->request;
    const double left = ToSeconds(context.deadline - context.clock.SteadyNow());
    request.headers.emplace_back("Accept", formats::kScrapeAccept);
    request.headers.emplace_back("X-Prometheus-Scrape-Timeout-Seconds", FormatDouble(left));
    return request;
  }

  Result<> Finish(const CollectContext& context, HttpExchange exchange,
                  MetricBatch& batch) override;

 private:
  Result<> Check(const HttpExchange& exchange) const;
  void Relabel(const MetricBatch& page, MetricBatch& batch) const;

  std::shared_ptr<const ScrapeConfig> config_;
  MetricBatch page_;  // Before relabelling; kept for its memory.
  formats::RepeatedPage reader_;
};

Result<> ScrapeCollector::Check(const HttpExchange& exchange) const {
  if (exchange.error) return *exchange.error;
  const int status = exchange.response.status;
  if (status == kStatusOk) return Ok{};
  const bool refused = status == kStatusUnauthorized || status == kStatusForbidden;
  return Error{refused ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable,
               "the server answered with status " + std::to_string(status)};
}

Result<> ScrapeCollector::Finish(const CollectContext& /*context*/, HttpExchange exchange,
                                 MetricBatch& batch) {
  TOCSIN_RETURN_IF_ERROR(Check(exchange));
  const HttpResponse& response = exchange.response;
  formats::ParseOptions options;
  options.format = formats::FormatOfContentType(response.Header("Content-Type"));
  options.honor_timestamps = config_->honor_timestamps;
  options.limits = config_->limits;
  const bool relabels = !config_->relabel.empty();
  page_.Clear();
  const auto parsed = reader_.Parse(response.body, options, relabels ? page_ : batch);
  if (!parsed.ok()) return parsed.error();
  if (parsed->label_values_cut > 0) {
    batch.AddNote(std::to_string(parsed->label_values_cut) + " label values were cut to " +
                  std::to_string(MetricBatch::kMaxLabelValueBytes) + " bytes");
  }
  if (relabels) Relabel(page_, batch);
  return Ok{};
}

void ScrapeCollector::Relabel(const MetricBatch& page, MetricBatch& batch) const {
  std::vector<model::LabelView> labels;
  for (std::size_t i = 0; i < page.row_count(); ++i) {
    const MetricBatch::Row row = page.row(i);
    labels.assign(1, {model::kMetricName, row.name});
    for (std::uint32_t j = row.first_label; j < row.first_label + row.label_count; ++j) {
      labels.push_back(page.label(j));
    }
    const auto relabelled = config_->relabel.Apply(model::Labels::FromPairs(labels));
    if (!relabelled || relabelled->Name().empty()) continue;
    const MetricBatch::Family& family = page.families()[row.family];
    const bool renamed = relabelled->Name() != row.name;
    const auto id =
        batch.DeclareFamily(renamed ? relabelled->Name() : family.name, family.help, family.type);
    labels.clear();
    for (const auto label : *relabelled) {
      if (label.first != model::kMetricName) labels.push_back(label);
    }
    batch.AddSample(id, relabelled->Name(), labels, row.value, row.time_ms);
  }
}

std::int64_t ReadLimit(ConfigReader& reader, std::string_view key) {
  return reader.Int(key, 0, 0, std::numeric_limits<std::int64_t>::max());
}

}  // namespace

ParsedTarget ParsePrometheusTarget(ConfigReader& reader, FileSystem& files) {
  auto config = std::make_shared<ScrapeConfig>();
  config->request = ReadHttpRequest(reader, files, /*follow_redirects=*/true);
  config->request.accept_encoding = "gzip, deflate";
  config->request.max_body_bytes = reader.Bytes("body_size_limit", kDefaultBodyLimitBytes);
  config->honor_timestamps = reader.Bool("honor_timestamps", true);
  config->limits.samples = ReadLimit(reader, "sample_limit");
  config->limits.labels_per_sample = ReadLimit(reader, "label_limit");
  config->limits.label_name_bytes = ReadLimit(reader, "label_name_length_limit");
  config->limits.label_value_bytes = ReadLimit(reader, "label_value_length_limit");
  config->relabel = model::RelabelRules::Read(reader, "metric_relabel_configs");
  ParsedTarget target;
  target.honor_labels = reader.Bool("honor_labels", false);
  if (const auto url = ParseHttpUrl(config->request.url)) {
    target.instance = url->host + ":" + url->port;
  }
  target.address = config->request.url;
  target.make = [config](const CollectorEnvironment&) -> AnyCollector {
    return std::make_unique<ScrapeCollector>(config);
  };
  return target;
}

}  // namespace tocsin::collectors::prometheus
