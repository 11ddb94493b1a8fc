#include "daemon/api/endpoints.h"

#include <array>
#include <vector>

namespace tocsin::api {
namespace {

constexpr std::size_t kMaxSamplesBytes = 64 << 20;
constexpr std::size_t kMaxAlertsBytes = 8 << 20;  // Prometheus sends 64 alerts at a time.

constexpr std::array kEndpoints = {
    Endpoint{"GET HEAD", "/-/healthy", Load::kLight, true, AnswerHealthy},
    Endpoint{"GET HEAD", "/-/ready", Load::kLight, true, AnswerReady},
    Endpoint{"POST PUT", "/-/reload", Load::kLight, false, AnswerReload},
    Endpoint{"GET POST", "/api/v1/query", Load::kHeavy, false, AnswerQuery, BodyUse::kForm,
             kMaxQueryBytes},
    Endpoint{"GET POST", "/api/v1/query_range", Load::kHeavy, false, AnswerQueryRange,
             BodyUse::kForm, kMaxQueryBytes},
    Endpoint{"GET POST", "/api/v1/query_exemplars", Load::kLight, false, AnswerExemplars},
    Endpoint{"GET POST", "/api/v1/format_query", Load::kLight, false, AnswerFormatQuery,
             BodyUse::kForm, kMaxQueryBytes},
    Endpoint{"GET POST", "/api/v1/parse_query", Load::kLight, false, AnswerParseQuery,
             BodyUse::kForm, kMaxQueryBytes},
    Endpoint{"GET POST", "/api/v1/series", Load::kHeavy, false, AnswerSeries, BodyUse::kForm,
             kMaxQueryBytes},
    Endpoint{"GET POST", "/api/v1/labels", Load::kHeavy, false, AnswerLabelNames, BodyUse::kForm,
             kMaxQueryBytes},
    Endpoint{"GET", "/api/v1/label/{label}/values", Load::kHeavy, false, AnswerLabelValues},
    Endpoint{"GET", "/api/v1/metadata", Load::kHeavy, false, AnswerMetadata},
    Endpoint{"GET", "/api/v1/rules", Load::kLight, false, AnswerRules},
    Endpoint{"GET", "/api/v1/alerts", Load::kLight, false, AnswerAlerts},
    Endpoint{"GET", "/api/v1/explain", Load::kLight, false, AnswerExplain},
    Endpoint{"GET", "/api/v1/targets", Load::kLight, false, AnswerTargets},
    Endpoint{"GET", "/api/v1/targets/metadata", Load::kHeavy, false, AnswerTargetMetadata},
    Endpoint{"GET", "/api/v1/scrape_pools", Load::kLight, false, AnswerScrapePools},
    Endpoint{"GET", "/api/v1/alertmanagers", Load::kLight, false, AnswerAlertmanagers},
    Endpoint{"POST", "/api/v1/write", Load::kHeavy, false, AnswerRemoteWrite, BodyUse::kAsSent,
             kMaxSamplesBytes},
    Endpoint{"POST", "/api/v1/import/prometheus", Load::kHeavy, false, AnswerImport, BodyUse::kText,
             kMaxSamplesBytes},
    Endpoint{"GET", "/api/v2/status", Load::kLight, false, AnswerAlertmanagerStatus},
    Endpoint{"GET", "/api/v2/receivers", Load::kLight, false, AnswerReceivers},
    Endpoint{"GET POST", "/api/v2/alerts", Load::kLight, false, AnswerAlertmanagerAlerts,
             BodyUse::kForm, kMaxAlertsBytes},
    Endpoint{"GET", "/api/v2/alerts/groups", Load::kLight, false, AnswerAlertmanagerGroups},
    Endpoint{"GET POST", "/api/v2/silences", Load::kLight, false, AnswerSilences},
    Endpoint{"GET DELETE", "/api/v2/silence/{id}", Load::kLight, false, AnswerSilence},
    Endpoint{"GET", "/api/v1/status/buildinfo", Load::kLight, false, AnswerBuildInfo},
    Endpoint{"GET", "/api/v1/status/config", Load::kLight, false, AnswerConfig},
    Endpoint{"GET", "/api/v1/status/flags", Load::kLight, false, AnswerFlags},
    Endpoint{"GET", "/api/v1/status/runtimeinfo", Load::kHeavy, false, AnswerRuntimeInfo},
    Endpoint{"GET", "/api/v1/status/tsdb", Load::kHeavy, false, AnswerTsdb},
    Endpoint{"GET HEAD", "/metrics", Load::kHeavy, false, AnswerMetrics},
    Endpoint{"GET HEAD", "/probe", Load::kHeavy, false, AnswerProbe},
    Endpoint{"GET HEAD", "/scrape", Load::kHeavy, false, AnswerScrape},
    Endpoint{"GET HEAD", "/federate", Load::kHeavy, false, AnswerFederate},
    Endpoint{"GET", "/sd", Load::kLight, false, AnswerServiceDiscovery},
};

// "/api/v1/query" gives "/api" and leaves "/v1/query".
std::string_view TakeSegment(std::string_view& path) {
  const std::string_view segment = path.substr(0, path.find('/', 1));
  path.remove_prefix(segment.size());
  return segment;
}

// Adds the parameters of `pattern` to `found` if `path` fits it.
bool PathFits(std::string_view pattern, std::string_view path,
              std::vector<std::pair<std::string, std::string>>& found) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view segment = TakeSegment(path);
    if (wanted.starts_with("/{") && segment.size() > 1) {
      found.emplace_back(wanted.substr(2, wanted.size() - 3), segment.substr(1));
    } else if (wanted != segment) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

bool Allows(std::string_view methods, std::string_view method) {
  const std::size_t at = methods.find(method);
  return at != methods.npos && (at == 0 || methods[at - 1] == ' ') &&
         (at + method.size() == methods.size() || methods[at + method.size()] == ' ');
}

}  // namespace

std::span<const Endpoint> Endpoints() { return kEndpoints; }

Match FindEndpoint(Request& request) {
  Match match;
  for (const Endpoint& endpoint : kEndpoints) {
    std::vector<std::pair<std::string, std::string>> found;
    if (!PathFits(endpoint.path, request.path, found)) continue;
    match.endpoint = &endpoint;
    match.method_allowed = Allows(endpoint.methods, request.method);
    if (!match.method_allowed) continue;  // Another row may take this method.
    request.params.insert(request.params.begin(), found.begin(), found.end());
    return match;
  }
  return match;
}

}  // namespace tocsin::api
