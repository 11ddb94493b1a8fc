// /api/v1/targets and /sd.

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

std::string_view HealthName(model::TargetHealth health) {
  switch (health) {
    case model::TargetHealth::kUp: return "up";
    case model::TargetHealth::kDown: return "down";
    case model::TargetHealth::kUnknown: return "unknown";
  }
  return "unknown";
}

void AppendTarget(const model::SourceState& source, std::string& out) {
  const std::string page = "/metrics?target=" + PercentEncode(source.kind + "/" + source.name);
  out += "{\"discoveredLabels\":{\"__address__\":";
  AppendJsonString(source.address, out);
  out += ",\"__scrape_interval__\":";
  AppendJsonString(FormatDuration(source.interval), out);
  out += ",\"__scrape_timeout__\":";
  AppendJsonString(FormatDuration(source.timeout), out);
  out += ",\"job\":";
  AppendJsonString(source.labels.Get("job"), out);
  out += "},\"labels\":";
  AppendJsonLabels(source.labels, out);
  out += ",\"scrapePool\":";
  AppendJsonString(source.kind + "/" + source.name, out);
  out += ",\"scrapeUrl\":";
  AppendJsonString(source.address, out);
  out += ",\"globalUrl\":";
  AppendJsonString(page, out);
  out += ",\"lastError\":";
  AppendJsonString(source.last_error, out);
  out += ",\"lastScrape\":";
  AppendJsonTime(source.last_poll, out);
  out += ",\"lastScrapeDuration\":";
  AppendJsonNumber(source.last_duration_seconds, out);
  out += ",\"health\":\"";
  out += HealthName(source.health);
  out += "\",\"scrapeInterval\":";
  AppendJsonString(FormatDuration(source.interval), out);
  out += ",\"scrapeTimeout\":";
  AppendJsonString(FormatDuration(source.timeout), out);
  // Ours: what the target cannot deliver, and how to enable it.
  out += ",\"notes\":";
  AppendJsonStrings(source.notes, out);
  out += '}';
}

}  // namespace

Response AnswerTargets(const Context& context, const Request& request) {
  const std::string state = request.Param("state").value_or("any");
  const auto pool = request.Param("scrapePool");
  std::string data = "{\"activeTargets\":[";
  bool first = true;
  for (const model::SourceState& source : context.poller.Snapshot()) {
    if (state == "dropped" || (pool && *pool != source.kind + "/" + source.name)) continue;
    if (!first) data += ',';
    first = false;
    AppendTarget(source, data);
  }
  data += "],\"droppedTargets\":[],\"droppedTargetCounts\":{}}";
  return Success(std::move(data));
}

Response AnswerServiceDiscovery(const Context& context, const Request& request) {
  // Prometheus scrapes this daemon once per target; the page of each is chosen by
  // its URL parameter, and honor_labels keeps the names it carries.
  const std::string host = request.Header("Host");
  std::string body = "[";
  for (const model::SourceState& source : context.poller.Snapshot()) {
    if (body.size() > 1) body += ',';
    body += "{\"targets\":[";
    AppendJsonString(host, body);
    body += "],\"labels\":{\"__metrics_path__\":\"/metrics\",\"__param_target\":";
    AppendJsonString(source.kind + "/" + source.name, body);
    for (const auto& [name, value] : source.labels) {
      body += ',';
      AppendJsonString(name, body);
      body += ':';
      AppendJsonString(value, body);
    }
    body += "}}";
  }
  body += ']';
  return Response{200, "application/json", std::move(body), {}};
}

}  // namespace tocsin::api
