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
#include "daemon/model/exported_labels.h"
#include "daemon/model/relabel.h"

namespace tocsin::collectors::prometheus {
namespace {

using model::MetricBatch;

constexpr std::int64_t kDefaultBodyLimitBytes = 64 << 20;
constexpr std::size_t kShownNameRunes = 50;
constexpr int kStatusOk = 200;
constexpr int kStatusUnauthorized = 401;
constexpr int kStatusForbidden = 403;

// Of a whole series, its name and the target's labels included. 0 is no limit.
struct LabelLimits {
  std::int64_t labels = 0;
  std::int64_t name_bytes = 0;
  std::int64_t value_bytes = 0;
};

struct ScrapeConfig {
  HttpRequest request;
  bool honor_labels = false;
  bool honor_timestamps = true;
  std::int64_t sample_limit = 0;
  LabelLimits limits;
  model::RelabelRules relabel;

  // Prometheus relabels, and counts labels, once the target's are there.
  bool NeedsAllLabels() const {
    return !relabel.empty() || limits.labels > 0 || limits.name_bytes > 0 || limits.value_bytes > 0;
  }
};

class ScrapeCollector : public HttpCollector {
 public:
  ScrapeCollector(std::shared_ptr<const ScrapeConfig> config,
                  const CollectorEnvironment& environment)
      : config_(std::move(config)), files_(environment.files), target_(environment.labels) {}

  HttpRequest Start(const CollectContext& context) override {
    HttpRequest request = config_->request;
    RenewCredentials(request, files_);
    const double left = ToSeconds(context.deadline - context.clock.SteadyNow());
    request.headers.emplace_back("Accept", formats::kScrapeAccept);
    request.headers.emplace_back("X-Prometheus-Scrape-Timeout-Seconds", FormatDouble(left));
    request.spare = std::move(body_);
    return request;
  }

  Result<> Finish(const CollectContext& context, HttpExchange exchange,
                  MetricBatch& batch) override;

 private:
  Result<> Check(const HttpExchange& exchange) const;
  Result<> Relabel(const MetricBatch& page, MetricBatch& batch) const;
  Result<> CheckLimits(const model::Labels& labels) const;
  void AddRow(const MetricBatch& page, const MetricBatch::Row& row, const model::Labels& labels,
              MetricBatch& batch) const;

  std::shared_ptr<const ScrapeConfig> config_;
  FileSystem& files_;
  model::Labels target_;
  // Kept for their memory: a page of many megabytes costs more to be given than to be read.
  std::string body_;
  MetricBatch page_;  // Before relabelling.
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
  const bool relabels = config_->NeedsAllLabels();
  if (!relabels) options.sample_limit = config_->sample_limit;
  page_.Clear();
  const auto parsed = reader_.Parse(response.body, options, relabels ? page_ : batch);
  body_ = std::move(exchange.response.body);
  if (!parsed.ok()) return parsed.error();
  if (parsed->label_values_cut > 0) {
    batch.AddNote(std::to_string(parsed->label_values_cut) + " label values were cut to " +
                  std::to_string(MetricBatch::kMaxLabelValueBytes) + " bytes");
  }
  return relabels ? Relabel(page_, batch) : Ok{};
}

Result<> ScrapeCollector::Relabel(const MetricBatch& page, MetricBatch& batch) const {
  const auto most = static_cast<std::size_t>(config_->sample_limit);
  for (std::size_t i = 0; i < page.row_count(); ++i) {
    const MetricBatch::Row row = page.row(i);
    const auto labels =
        config_->relabel.Apply(model::SeriesLabels(row, target_, config_->honor_labels));
    if (!labels || labels->Name().empty()) {
      batch.NoteDropped(1);
      continue;
    }
    TOCSIN_RETURN_IF_ERROR(CheckLimits(*labels));
    if (most > 0 && batch.row_count() == most) {
      return Error{ErrorCode::kResourceExhausted,
                   "more than " + std::to_string(most) + " samples after relabelling"};
    }
    AddRow(page, row, *labels, batch);
  }
  return Ok{};
}

Result<> ScrapeCollector::CheckLimits(const model::Labels& labels) const {
  const LabelLimits& limits = config_->limits;
  const auto exceeds = [](std::size_t size, std::int64_t limit) {
    return limit > 0 && size > static_cast<std::size_t>(limit);
  };
  const auto failure = [&](std::int64_t limit, const char* what) {
    return Error{ErrorCode::kResourceExhausted,
                 "metric " + TruncateRunes(labels.Name(), kShownNameRunes) + ": more than " +
                     std::to_string(limit) + " " + what};
  };
  if (exceeds(labels.size(), limits.labels)) {
    return failure(limits.labels, "labels, the target's and the name included");
  }
  for (const auto& [name, value] : labels) {
    if (exceeds(name.size(), limits.name_bytes)) {
      return failure(limits.name_bytes, "bytes in a label's name");
    }
    if (exceeds(value.size(), limits.value_bytes)) {
      return failure(limits.value_bytes, "bytes in a label's value");
    }
  }
  return Ok{};
}

// What a row has beyond its target's labels; one of those that it lost, as an empty one.
void ScrapeCollector::AddRow(const MetricBatch& page, const MetricBatch::Row& row,
                             const model::Labels& labels, MetricBatch& batch) const {
  const MetricBatch::Family& family = page.families()[row.family];
  const bool renamed = labels.Name() != row.name;
  const auto id =
      batch.DeclareFamily(renamed ? labels.Name() : family.name, family.help, family.type);
  std::vector<model::LabelView> own;
  for (const auto& [name, value] : labels) {
    if (name != model::kMetricName && target_.Get(name) != value) own.emplace_back(name, value);
  }
  for (const auto& [name, value] : target_) {
    if (!labels.Has(name)) own.emplace_back(name, "");
  }
  batch.AddSample(id, labels.Name(), own, row.value, row.time_ms);
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
  config->sample_limit = ReadLimit(reader, "sample_limit");
  config->limits.labels = ReadLimit(reader, "label_limit");
  config->limits.name_bytes = ReadLimit(reader, "label_name_length_limit");
  config->limits.value_bytes = ReadLimit(reader, "label_value_length_limit");
  config->relabel = model::RelabelRules::Read(reader, "metric_relabel_configs");
  ParsedTarget target;
  config->honor_labels = reader.Bool("honor_labels", false);
  // Rows that were relabelled have their target's labels, and their word is final.
  target.honor_labels = config->honor_labels || config->NeedsAllLabels();
  if (const auto url = ParseHttpUrl(config->request.url)) {
    target.instance = url->host + ":" + url->port;
  }
  target.address = config->request.url;
  target.make = [config](const CollectorEnvironment& environment) -> AnyCollector {
    return std::make_unique<ScrapeCollector>(config, environment);
  };
  return target;
}

}  // namespace tocsin::collectors::prometheus
