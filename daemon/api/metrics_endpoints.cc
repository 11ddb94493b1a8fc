// /metrics: what the last collection of every target brought, as one page.

#include "daemon/api/endpoints.h"
#include "daemon/formats/exposition.h"

namespace tocsin::api {
namespace {

void Add(const poll::TargetPage& from, const model::Labels& labels, formats::TextPage& page) {
  page.Add(poll::VerdictsOf(from), labels, false);
  if (from.batch) page.Add(from.batch, labels, from.honor_labels);
}

Response Plain(int status, std::string text) {
  return Response{status, "text/plain; charset=utf-8", std::move(text), {}};
}

}  // namespace

Response AnswerMetrics(const Context& context, const Request& request) {
  const auto target = request.Param("target");
  std::vector<poll::TargetPage> pages = context.poller.Pages();
  if (target) {
    std::erase_if(pages, [&](const poll::TargetPage& page) {
      return page.name != *target && page.kind + "/" + page.name != *target;
    });
    if (pages.empty()) return Plain(404, "no target \"" + *target + "\"\n");
    if (pages.size() > 1) {
      std::string text = "several targets have this name, ask for one of:\n";
      for (const poll::TargetPage& page : pages) text += page.kind + "/" + page.name + "\n";
      return Plain(400, std::move(text));
    }
  }
  formats::TextPage page;
  for (const poll::TargetPage& known : pages) {
    if (known.at == WallTime()) continue;  // Not collected yet.
    // One target alone gets its job and instance from whoever scrapes it.
    Add(known, target ? model::Labels() : known.labels, page);
  }
  Response response{200, std::string(formats::kTextContentType), "", {}};
  page.AppendTo(formats::TextOptions(), response.body);
  return response;
}

}  // namespace tocsin::api
