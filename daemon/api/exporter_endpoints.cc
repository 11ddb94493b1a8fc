// /probe and /scrape: the paths under which blackbox_exporter, postgres_exporter and
// redis_exporter are asked for one target, so that a Prometheus that scrapes them goes on
// as it is. The answer is what the target's last collection brought; nothing is collected
// for whoever asks, and nothing but what the configuration names.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/endpoints.h"
#include "daemon/formats/exposition.h"

namespace tocsin::api {
namespace {

using Kinds = std::vector<std::string_view>;

// "redis://user:secret@cache:6379/0" taken apart, without the credentials.
struct Whereabouts {
  std::string scheme;
  std::string place;  // host:port, or as much of it as there is; or a socket's path.
  std::string path;   // With the query, without slashes at its ends.
};

// The value of `keyword` in "host=db port=5432"; empty if it is not there.
std::string_view KeywordOf(std::string_view text, std::string_view keyword) {
  for (std::size_t at = 0; (at = text.find(keyword, at)) != text.npos; ++at) {
    const std::string_view rest = text.substr(at + keyword.size());
    if ((at != 0 && text[at - 1] != ' ') || !rest.starts_with('=')) continue;
    return rest.substr(1, rest.find(' ') - 1);
  }
  return {};
}

Whereabouts TakeApart(std::string_view text) {
  Whereabouts where;
  const std::string_view host = KeywordOf(text, "host");
  if (const std::size_t scheme = text.find("://"); scheme != text.npos) {
    where.scheme = text.substr(0, scheme);
    text.remove_prefix(scheme + 3);
    // A password may hold slashes; so may the path of a page hold an @.
    if (!where.scheme.starts_with("http")) text.remove_prefix(text.rfind('@') + 1);
  }
  const std::size_t slash = text.starts_with('/') ? text.npos : text.find('/');
  where.place = text.substr(0, slash);
  if (slash != text.npos) where.path = text.substr(slash + 1);
  if (where.scheme.empty() && !host.empty()) {
    const std::string_view port = KeywordOf(text, "port");
    where = {"", std::string(host), std::string(KeywordOf(text, "dbname"))};
    if (!port.empty()) where.place.append(":").append(port);
  }
  where.place.erase(0, where.place.rfind('@') + 1);
  where.place.erase(std::min(where.place.find(' '), where.place.size()));
  while (where.path.ends_with('/')) where.path.pop_back();
  constexpr std::string_view kLocalhost = "localhost";
  if (where.place == kLocalhost || where.place.starts_with("localhost:")) {
    where.place.replace(0, kLocalhost.size(), "127.0.0.1");
  }
  return where;
}

// The port that the kind's exporter takes where none is written; empty: none.
std::string_view UsualPort(std::string_view kind) {
  if (kind == "redis") return ":6379";
  if (kind == "postgres") return ":5432";
  return kind == "pgbouncer" ? ":6432" : "";
}

// As the exporter of `kind` reads what it is asked for.
Whereabouts As(std::string_view kind, Whereabouts asked) {
  if (kind == "http") {
    if (asked.scheme.empty()) asked.scheme = "http";
    return asked;
  }
  // Its query is for the exporter.
  for (std::string* part : {&asked.place, &asked.path}) {
    part->erase(std::min(part->find('?'), part->size()));
  }
  const bool has_port = asked.place.find(':', asked.place.rfind(']') + 1) != std::string::npos;
  if (!has_port && !asked.place.starts_with('/')) asked.place += UsualPort(kind);
  return asked;
}

enum class Nearness { kOther, kSameServer, kSamePath, kNamed };

Nearness NearnessOf(const model::SourceState& target, std::string_view text,
                    const Whereabouts& asked) {
  if (text == target.name || text == target.kind + "/" + target.name || text == target.address ||
      text == target.labels.Get("instance")) {
    return Nearness::kNamed;
  }
  const Whereabouts theirs = TakeApart(target.address);
  const Whereabouts wanted = As(target.kind, asked);
  if (wanted.place.empty() || wanted.place != theirs.place) return Nearness::kOther;
  const bool is_http = target.kind == "http";
  if (wanted.path == theirs.path && (!is_http || wanted.scheme == theirs.scheme)) {
    return Nearness::kSamePath;
  }
  return is_http ? Nearness::kOther : Nearness::kSameServer;
}

// The targets of these kinds that `text` fits best.
std::vector<model::SourceState> FindTargets(const Context& context, const Kinds& kinds,
                                            const std::string& text) {
  const Whereabouts asked = TakeApart(text);
  std::vector<model::SourceState> found;
  Nearness best = Nearness::kSameServer;
  for (model::SourceState& target : context.poller.Snapshot()) {
    if (std::find(kinds.begin(), kinds.end(), target.kind) == kinds.end()) continue;
    const Nearness nearness = NearnessOf(target, text, asked);
    if (nearness < best) continue;
    if (nearness > best) found.clear();
    best = nearness;
    found.push_back(std::move(target));
  }
  return found;
}

Response PageOf(const Context& context, const model::SourceState& target) {
  for (const poll::TargetPage& known : context.poller.Pages()) {
    if (known.kind != target.kind || known.name != target.name) continue;
    if (known.at == WallTime()) break;
    formats::TextPage page;
    // No labels of the target's: whoever scrapes gives job and instance.
    page.Add(poll::ExporterVerdictsOf(known), model::Labels(), false);
    if (known.batch) page.Add(known.batch, model::Labels(), known.honor_labels);
    Response response{200, std::string(formats::kTextContentType), "", {}};
    page.AppendTo(formats::TextOptions(), response.body);
    return response;
  }
  return PlainError(503, target.kind + "/" + target.name + " has not been collected yet");
}

Response Answer(const Context& context, const Request& request, const Kinds& kinds) {
  const auto text = request.Param("target");
  if (!text || text->empty()) return PlainError(400, "the parameter \"target\" is missing");
  const auto targets = FindTargets(context, kinds, *text);
  if (targets.size() == 1) return PageOf(context, targets.front());
  // What was asked for is not repeated: it may hold a password.
  if (targets.empty()) {
    std::string sections;
    for (const std::string_view kind : kinds) {
      sections.append(sections.empty() ? "" : ", ").append(kind);
    }
    return PlainError(404,
                      "no target is there: only what the configuration names is collected "
                      "(sections " +
                          sections + "), and /sd lists it");
  }
  std::string several = "several targets are there, ask for one of:";
  for (const model::SourceState& target : targets)
    several += "\n" + target.kind + "/" + target.name;
  return PlainError(400, std::move(several));
}

}  // namespace

Response AnswerProbe(const Context& context, const Request& request) {
  // What a module says is in the target's own section; that one is named says which exporter
  // is meant. blackbox_exporter's own default is an HTTP one.
  if (request.Param("auth_module")) return Answer(context, request, {"postgres"});
  if (request.Param("module")) return Answer(context, request, {"http", "tcp"});
  return Answer(context, request, {"http", "postgres", "pgbouncer"});
}

Response AnswerScrape(const Context& context, const Request& request) {
  return Answer(context, request, {"redis"});
}

}  // namespace tocsin::api
