// /metrics: what the last collection of every target brought, as one page.

#include "daemon/api/endpoints.h"
#include "daemon/formats/exposition.h"

namespace tocsin::api {
namespace {

void Add(const poll::TargetPage& from, const model::Labels& labels, formats::TextPage& page) {
  page.Add(poll::VerdictsOf(from), labels, false);
  if (from.batch) page.Add(from.batch, labels, from.honor_labels);
}

}  // namespace

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
