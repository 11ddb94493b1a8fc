#include "daemon/app/api_client.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"

namespace tocsin::app {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::int64_t kMaxAnswerBytes = 1 << 30;
constexpr std::string_view kUnixScheme = "unix:";

// A request without its path.
Result<HttpRequest> RequestTo(const DaemonAddress& address) {
  PosixFileSystem files;
  HttpRequest request;
  request.url = address.url;
  if (address.url.starts_with(kUnixScheme)) {
    request.unix_socket = address.url.substr(kUnixScheme.size());
    request.url = "http://localhost";
  }
  while (request.url.ends_with('/')) request.url.pop_back();
  if (!address.token_file.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(request.authorization, Secret::FromFile(address.token_file, files));
  }
  if (!address.password_file.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(request.basic_auth_password,
                            Secret::FromFile(address.password_file, files));
    request.basic_auth_user = address.user;
  }
  request.tls.ca_file = address.ca_file;
  request.accept_encoding = "gzip, deflate";
  request.max_body_bytes = kMaxAnswerBytes;
  return request;
}

// What the daemon says of a refusal: {"error": …} as Prometheus does, a string or
// {"message": …} as Alertmanager does.
std::string WordsOf(const HttpResponse& response) {
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  if (json.is_string()) return json.get<std::string>();
  for (const char* name : {"error", "message"}) {
    if (!json.is_object()) break;
    const auto found = json.find(name);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
  }
  return "the daemon answered " + std::to_string(response.status);
}

Error Refusal(const DaemonAddress& address, const HttpResponse& response) {
  if (response.status == 401) {
    const bool tried = !address.token_file.empty() || !address.password_file.empty();
    return Error{ErrorCode::kPermissionDenied,
                 address.url + (tried ? " refuses these credentials"
                                      : " wants credentials (--token-file, or --user with "
                                        "--password-file)")};
  }
  return Error{ErrorCode::kInvalidArgument, WordsOf(response)};
}

Result<std::string> Exchange(const DaemonAddress& address, HttpRequest request) {
  SystemClock clock;
  CurlHttpClient client(clock);
  HttpExchange exchange = Fetch(client, std::move(request), clock.SteadyNow() + kPatience);
  if (exchange.error) return exchange.error->WithContext("cannot ask " + address.url);
  if (exchange.response.status / 100 == 2) return std::move(exchange.response.body);
  return Refusal(address, exchange.response);
}

}  // namespace

void AddAddressOptions(CLI::App& command, DaemonAddress& address, const std::string& url_help) {
  command.add_option("--url", address.url, url_help)->capture_default_str();
  auto* token =
      command.add_option("--token-file", address.token_file, "File with the daemon's bearer token");
  auto* user = command.add_option("--user", address.user, "User for basic authentication");
  auto* password =
      command.add_option("--password-file", address.password_file, "File with the user's password");
  user->needs(password);
  password->needs(user);
  token->excludes(user);
  command.add_option("--ca-file", address.ca_file, "Certificates to trust for https (PEM)");
}

Result<std::string> AskDaemon(const DaemonAddress& address, const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& params,
                              AskBy by) {
  TOCSIN_ASSIGN_OR_RETURN(HttpRequest request, RequestTo(address));
  request.url += path;
  std::string form;
  for (const auto& [name, value] : params) {
    form += (form.empty() ? "" : "&") + name + "=" + PercentEncode(value);
  }
  if (by == AskBy::kPost) {
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = std::move(form);
  } else if (!form.empty()) {
    request.url += "?" + form;
  }
  return Exchange(address, std::move(request));
}

Result<std::string> ChangeThroughDaemon(const DaemonAddress& address, const std::string& method,
                                        const std::string& path, const std::string& json) {
  TOCSIN_ASSIGN_OR_RETURN(HttpRequest request, RequestTo(address));
  request.method = method;
  request.url += path;
  if (!json.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = json;
  return Exchange(address, std::move(request));
}

Result<std::string> PostToDaemon(const DaemonAddress& address, const std::string& path,
                                 std::vector<std::pair<std::string, std::string>> headers,
                                 std::string body) {
  TOCSIN_ASSIGN_OR_RETURN(HttpRequest request, RequestTo(address));
  request.method = "POST";
  request.url += path;
  request.accept_encoding.clear();  // The message has a compression of its own.
  request.headers = std::move(headers);
  request.body = std::move(body);
  return Exchange(address, std::move(request));
}

}  // namespace tocsin::app
