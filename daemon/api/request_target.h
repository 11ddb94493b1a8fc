#pragma once

// What a request asks for, as it stands in its first line: path and query. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/http_message.h"

namespace tocsin::api {

// The target without empty segments, "." and "..", as Go's ServeMux redirects; nothing if
// it has none, or is no path.
std::optional<std::string> CleanTarget(std::string_view target);

// Without the bytes that browsers read as others: a backslash is a slash to them, and of a
// tab they know nothing.
std::string Escaped(std::string_view target);

// The target without scheme and host, which proxies may send: "http://host/a?b" is "/a?b",
// and one without a path is "/".
std::string_view PathAndQuery(std::string_view target);

// Percent-decoded. Requires: no broken escape, or nobody minds.
std::string DecodePath(std::string_view path);

// Whether a % of its path is not followed by two hex digits.
bool HasBrokenEscape(std::string_view target);

// As Go's http.Redirect: with a page for those who read it.
Response Moved(const std::string& method, const std::string& to);

}  // namespace tocsin::api
