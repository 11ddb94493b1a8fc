#include "daemon/api/alertmanager_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "daemon/api/json_text.h"
#include "daemon/base/text.h"
#include "daemon/notify/matcher_text.h"

namespace tocsin::api {
namespace {

bool IsJson(std::string_view type) {
  type = TrimSpace(type.substr(0, type.find(';')));
  constexpr std::string_view kJson = "application/json";
  return std::equal(type.begin(), type.end(), kJson.begin(), kJson.end(),
                    [](unsigned char a, char b) { return std::tolower(a) == b; });
}

}  // namespace

Response AlertmanagerAnswer(std::string json) {
  Response response;
  if (json.empty()) response.content_type.clear();
  response.body = std::move(json);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Response AlertmanagerRefusal(int status, std::string_view message) {
  std::string body;
  AppendJsonString(message, body);
  Response response = AlertmanagerAnswer(std::move(body));
  response.status = status;
  return response;
}

Response AlertmanagerFault(int status, int code, std::string_view message) {
  std::string body = fmt::format("{{\"code\":{},\"message\":", code);
  AppendJsonString(message, body);
  Response response = AlertmanagerAnswer(body + "}");
  response.status = status;
  return response;
}

Response AlertmanagerNotFound(std::string_view path) {
  return AlertmanagerFault(404, 404, fmt::format("path {} was not found", path));
}

Response AlertmanagerNotAllowed(std::string_view method, std::string_view allowed) {
  std::string list(allowed);
  std::replace(list.begin(), list.end(), ' ', ',');
  return AlertmanagerFault(405, 405,
                           fmt::format("method {} is not allowed, but [{}] are", method, list));
}

Response UnreadableBody(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return AlertmanagerFault(422, 602, error.message);
    case ErrorCode::kCorruption: return AlertmanagerFault(400, 400, error.message);
    default: return AlertmanagerRefusal(400, error.message);
  }
}

std::optional<Response> CheckPost(const Request& request) {
  const std::string type = request.Header("Content-Type");
  if (!IsJson(type)) {
    return AlertmanagerFault(
        415, 415,
        fmt::format("unsupported media type \"{}\", only application/json is allowed", type));
  }
  return std::nullopt;
}

Result<std::vector<model::Matcher>> ReadFilters(const Request& request) {
  std::vector<model::Matcher> filters;
  for (const std::string& text : request.Params("filter")) {
    auto matcher = notify::ParseMatcher(text);
    if (!matcher.ok()) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("bad matcher format: {}: {}", text, matcher.error().message)};
    }
    filters.push_back(*std::move(matcher));
  }
  return filters;
}

Result<bool> ReadShown(const Request& request, std::string_view name) {
  const std::string text = request.Param(name).value_or("true");
  if (text == "true" || text == "1" || text.empty()) return true;
  if (text == "false" || text == "0") return false;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("{} must be true or false, not \"{}\"", name, text)};
}

}  // namespace tocsin::api
