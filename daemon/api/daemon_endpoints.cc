// /-/healthy, /-/ready, /-/reload and /api/v1/status/*.

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"

namespace tocsin::api {
namespace {

Response Plain(int status, std::string text) {
  return Response{status, "text/plain; charset=utf-8", std::move(text), {}};
}

}  // namespace

Response AnswerHealthy(const Context& /*context*/, const Request& /*request*/) {
  return Plain(200, "Tocsin is Healthy.\n");
}

Response AnswerReady(const Context& context, const Request& /*request*/) {
  return context.ready() ? Plain(200, "Tocsin is Ready.\n") : Plain(503, "Service Unavailable\n");
}

Response AnswerReload(const Context& context, const Request& /*request*/) {
  const Result<> result = context.reload();
  if (result.ok()) return Plain(200, "");
  return Plain(500, "failed to reload config:\n" + result.error().message + "\n");
}

Response AnswerBuildInfo(const Context& context, const Request& /*request*/) {
  // Clients switch features on by Prometheus' version; ours is beside it.
  std::string data =
      "{\"version\":\"3.5.0\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\","
      "\"buildDate\":\"\",\"goVersion\":\"\",\"application\":\"tocsin\","
      "\"tocsinVersion\":";
  AppendJsonString(context.version, data);
  data += '}';
  return Success(std::move(data));
}

Response AnswerConfig(const Context& context, const Request& /*request*/) {
  std::string data = "{\"yaml\":";
  AppendJsonString(context.config_text(), data);
  data += '}';
  return Success(std::move(data));
}

}  // namespace tocsin::api
