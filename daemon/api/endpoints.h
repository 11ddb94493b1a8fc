#pragma once

// The table of all that the daemon answers. Adding an endpoint is one row here
// and one function in the file of its subject.

#include <cstddef>
#include <span>
#include <string_view>

#include "daemon/api/context.h"
#include "daemon/api/http_message.h"

namespace tocsin::api {

enum class Load {
  kLight,  // Health, alerts: always served at once.
  kHeavy,  // Queries and big pages: only so many at a time.
};

// What a body may have unless its endpoint says otherwise.
inline constexpr std::size_t kUsualBodyBytes = 1 << 20;
// Of one with a query, which may be three times as long when it is percent-encoded.
inline constexpr std::size_t kMaxQueryBytes = 4 << 20;

// What is made of a body before its endpoint sees it.
enum class BodyUse {
  kForm,    // Unpacked, and read into the parameters if it is a form.
  kText,    // Unpacked, whatever its Content-Type says (`curl -d` calls every body a form).
  kAsSent,  // Nothing.
};

struct Endpoint {
  std::string_view methods;  // "GET", "GET POST", …
  // A segment {name} matches one path segment, which `answer` gets as a parameter
  // of that name.
  std::string_view path;
  Load load;
  bool open;  // Answered without credentials (health).
  Response (*answer)(const Context&, const Request&);
  BodyUse body_use = BodyUse::kForm;
  // Of a body, unpacked too; more is a 413, and never kept.
  std::size_t max_body_bytes = kUsualBodyBytes;
};

std::span<const Endpoint> Endpoints();

struct Match {
  const Endpoint* endpoint = nullptr;  // Null: no such path.
  bool method_allowed = false;
};

// Finds the endpoint of a request and puts the path's parameters before its others.
Match FindEndpoint(Request& request);

// Health.
Response AnswerHealthy(const Context&, const Request&);
Response AnswerReady(const Context&, const Request&);
Response AnswerReload(const Context&, const Request&);
// Queries.
Response AnswerQuery(const Context&, const Request&);
Response AnswerQueryRange(const Context&, const Request&);
Response AnswerFormatQuery(const Context&, const Request&);
Response AnswerParseQuery(const Context&, const Request&);
Response AnswerExemplars(const Context&, const Request&);
// Series.
Response AnswerSeries(const Context&, const Request&);
Response AnswerLabelNames(const Context&, const Request&);
Response AnswerLabelValues(const Context&, const Request&);
Response AnswerMetadata(const Context&, const Request&);
// Rules, alerts, targets.
Response AnswerRules(const Context&, const Request&);
Response AnswerAlerts(const Context&, const Request&);
Response AnswerTargets(const Context&, const Request&);
Response AnswerTargetMetadata(const Context&, const Request&);
Response AnswerScrapePools(const Context&, const Request&);
Response AnswerAlertmanagers(const Context&, const Request&);
Response AnswerExplain(const Context&, const Request&);
// Samples of others.
Response AnswerRemoteWrite(const Context&, const Request&);
Response AnswerImport(const Context&, const Request&);
// Alertmanager's API.
Response AnswerAlertmanagerStatus(const Context&, const Request&);
Response AnswerReceivers(const Context&, const Request&);
Response AnswerAlertmanagerAlerts(const Context&, const Request&);
Response AnswerAlertmanagerGroups(const Context&, const Request&);
Response AnswerSilences(const Context&, const Request&);
Response AnswerSilence(const Context&, const Request&);
// The daemon.
Response AnswerBuildInfo(const Context&, const Request&);
Response AnswerConfig(const Context&, const Request&);
Response AnswerFlags(const Context&, const Request&);
Response AnswerRuntimeInfo(const Context&, const Request&);
Response AnswerTsdb(const Context&, const Request&);
// Pages for Prometheus.
Response AnswerMetrics(const Context&, const Request&);
Response AnswerProbe(const Context&, const Request&);
Response AnswerScrape(const Context&, const Request&);
Response AnswerFederate(const Context&, const Request&);
Response AnswerServiceDiscovery(const Context&, const Request&);

}  // namespace tocsin::api
