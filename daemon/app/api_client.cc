#include "daemon/app/api_client.h"

#include <nlohmann/json.hpp>

#include "daemon/base/http_client.h"

namespace tocsin::app {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::int64_t kMaxAnswerBytes = 1 << 30;

}  // namespace

Result<std::string> AskDaemon(const std::string& url, const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& params) {
  SystemClock clock;
  CurlHttpClient client(clock);
  HttpRequest request;
  request.url = url + path;
  request.max_body_bytes = kMaxAnswerBytes;
  for (std::size_t i = 0; i < params.size(); ++i) {
    request.url += (i == 0 ? "?" : "&") + params[i].first + "=" + PercentEncode(params[i].second);
  }
  HttpExchange exchange = Fetch(client, std::move(request), clock.SteadyNow() + kPatience);
  if (exchange.error) return exchange.error->WithContext("cannot ask " + url);
  if (exchange.response.status / 100 == 2) return std::move(exchange.response.body);
  const auto json = nlohmann::json::parse(exchange.response.body, nullptr, false);
  const bool explained = json.is_object() && json.contains("error") && json["error"].is_string();
  return Error{ErrorCode::kInvalidArgument,
               explained ? json["error"].get<std::string>()
                         : "the daemon answered " + std::to_string(exchange.response.status)};
}

}  // namespace tocsin::app
