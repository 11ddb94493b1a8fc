#include "daemon/api/response_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>

#include "daemon/base/ascii.h"
#include "daemon/base/gzip.h"
#include "daemon/base/internet_date.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

std::string_view ReasonOf(int status) {
  const auto reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {reason.data(), reason.size()};
}

// Written once a second by each worker: it is a tenth of what a short answer costs us.
const std::string& DateOf(WallTime now) {
  struct Written {
    std::int64_t second = -1;
    std::string text;
  };
  thread_local Written last;
  const std::int64_t second = ToUnixMillis(now) / 1000;
  if (second != last.second) last = {second, InternetDate(now, "GMT")};
  return last.text;
}

void AppendHeader(std::string_view name, std::string_view value, std::string& head) {
  head += name;
  head += ": ";
  head += value;
  head += "\r\n";
}

}  // namespace

bool WriteResponse(Response response, const AnswerForm& form, ConnectionStream& stream) {
  const bool packed = form.gzip && !response.body.empty();
  if (packed) response.body = Gzip(response.body);
  thread_local std::string head;  // Keeps its memory from one answer to the next.
  head.clear();
  fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\n", response.status,
                 ReasonOf(response.status));
  if (!response.content_type.empty()) AppendHeader("Content-Type", response.content_type, head);
  if (packed) AppendHeader("Content-Encoding", "gzip", head);
  if (!response.body.empty()) AppendHeader("Vary", "Accept-Encoding", head);
  AppendHeader("Date", DateOf(form.now), head);
  for (const auto& [name, value] : response.headers) AppendHeader(name, value, head);
  if (response.status != 204) {  // Which has none (RFC 9110, 8.6).
    fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", response.body.size());
  }
  head += form.close ? "Connection: close\r\n\r\n"
                     : "Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n\r\n";
  return stream.Write(head) && (form.head_only || stream.Write(response.body));
}

bool AcceptsGzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const std::size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view coding = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    const std::size_t semicolon = std::min(coding.find(';'), coding.size());
    if (!EqualIgnoringCase(TrimSpace(coding.substr(0, semicolon)), "gzip")) continue;
    std::string_view weight = TrimSpace(coding.substr(std::min(semicolon + 1, coding.size())));
    if (!weight.starts_with("q=") && !weight.starts_with("Q=")) return true;
    return ParseDouble(TrimSpace(weight.substr(2))).value_or(0) > 0;
  }
  return false;
}

}  // namespace tocsin::api
