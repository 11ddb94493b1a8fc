#pragma once

// What the endpoints of Alertmanager's API v2 have in common: its errors (a JSON
// string for what was understood and refused, {"code":…,"message":…} for what was
// not understood), its filters, and what a posted body must be. Internal.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/http_message.h"
#include "daemon/base/result.h"
#include "daemon/model/matcher.h"

namespace tocsin::api {

Response AlertmanagerAnswer(std::string json);  // Empty: no body.
Response AlertmanagerRefusal(int status, std::string_view message);
// `code` of the body is the status, or one of go-openapi's (602: a field is missing).
Response AlertmanagerFault(int status, int code, std::string_view message);
// What go-openapi says of a path, or a method ("GET POST" are allowed), that is not there.
Response AlertmanagerNotFound(std::string_view path);
Response AlertmanagerNotAllowed(std::string_view method, std::string_view allowed);
// The answer to an error of the readers in alertmanager_json.h.
Response UnreadableBody(const Error& error);

// What is wrong with the head of a request that posts JSON; nothing if it is fine.
// Other types, or none, are refused: a browser sends them for any page without asking.
std::optional<Response> CheckPost(const Request& request);

// The parameters `filter`, one matcher each. Errors: kInvalidArgument.
Result<std::vector<model::Matcher>> ReadFilters(const Request& request);

// A parameter that is true or false, true if it is absent. Errors: kInvalidArgument.
Result<bool> ReadShown(const Request& request, std::string_view name);

}  // namespace tocsin::api
