// /metrics: what the last collection of every target brought, as one page.

#include "daemon/api/endpoints.h"
#include "daemon/api/metrics_page.h"
#include "daemon/formats/exposition.h"

namespace tocsin::api {
namespace {

// The verdicts that poll writes beside a target's own rows.
std::shared_ptr<const model::MetricBatch> Verdicts(const poll::TargetPage& page) {
  auto batch = std::make_shared<model::MetricBatch>();
  batch->AddGauge("up", "Whether the last collection of the target succeeded.", page.up ? 1 : 0);
  batch->AddGauge("scrape_duration_seconds", "How long the last collection took.",
                  page.duration_seconds);
  if (!page.up_metric.empty()) batch->AddGauge(page.up_metric, page.up_help, page.up ? 1 : 0);
  return batch;
}

void Add(const poll::TargetPage& from, const model::Labels& labels, formats::TextPage& page) {
  page.Add(Verdicts(from), labels, false);
  if (from.batch) page.Add(from.batch, labels, from.honor_labels);
}

}  // namespace

std::string PushedPage(const poll::Poller& poller) {
  formats::TextPage page;
  for (const poll::TargetPage& target : poller.Pages()) {
    if (target.at != WallTime()) Add(target, target.labels, page);
  }
  formats::TextOptions options;
  options.timestamps = false;
  std::string text;
  page.AppendTo(options, text);
  return text;
}

Response AnswerMetrics(const Context& context, const Request& request) {
  const auto target = request.Param("target");
  formats::TextPage page;
  bool found = false;
  for (const poll::TargetPage& known : context.poller.Pages()) {
    if (target && known.name != *target && known.kind + "/" + known.name != *target) continue;
    found = true;
    if (known.at == WallTime()) continue;  // Not collected yet.
    // One target alone gets its job and instance from whoever scrapes it.
    Add(known, target ? model::Labels() : known.labels, page);
  }
  if (target && !found) {
    return Response{404, "text/plain; charset=utf-8", "no target \"" + *target + "\"\n", {}};
  }
  Response response{200, std::string(formats::kTextContentType), "", {}};
  page.AppendTo(formats::TextOptions(), response.body);
  return response;
}

}  // namespace tocsin::api
