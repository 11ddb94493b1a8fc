#pragma once

// A request and its answer, as endpoints see them: free of the HTTP library.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::api {

// The first header of that name, in any case; empty if there is none.
std::string_view FindHeader(const std::vector<std::pair<std::string, std::string>>& headers,
                            std::string_view name);

struct Request {
  std::string method;
  std::string path;
  // Of the query string and of a form body, in order.
  std::vector<std::pair<std::string, std::string>> params;
  std::vector<std::pair<std::string, std::string>> headers;
  // What is wrong with a query string or a form of which only parts are in `params`, as
  // Go says it: `invalid URL escape "%zz"`. Few endpoints mind.
  std::string form_error;
  std::string body;  // Empty for forms: those are in `params`.

  // The first value of a parameter.
  std::optional<std::string> Param(std::string_view name) const;
  std::vector<std::string> Params(std::string_view name) const;
  // The first header of that name, in any case; empty if there is none.
  std::string Header(std::string_view name) const;
};

// A query string or a form as Go's url.ParseQuery reads it: a name ends at its first "=",
// "+" is a space. A parameter with a ";" or a broken escape is left out.
struct Form {
  std::vector<std::pair<std::string, std::string>> params;  // In order.
  std::string error;  // Of what was left out; empty if nothing was.
};
Form ParseForm(std::string_view text);

struct Response {
  int status = 200;
  std::string content_type = "application/json";  // Empty: no body.
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// An error as Go's http.Error writes it: plain text with a line break behind it.
Response PlainError(int status, std::string text);

}  // namespace tocsin::api
