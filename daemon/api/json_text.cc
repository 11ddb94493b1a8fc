#include "daemon/api/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

struct ErrorTypeRow {
  std::string_view name;
  int status;
};

ErrorTypeRow RowOf(ErrorType type) {
  switch (type) {
    case ErrorType::kBadData: return {"bad_data", 400};
    case ErrorType::kExecution: return {"execution", 422};
    case ErrorType::kTimeout: return {"timeout", 503};
    case ErrorType::kCanceled: return {"canceled", 499};
    case ErrorType::kInternal: return {"internal", 500};
    case ErrorType::kNotFound: return {"not_found", 404};
    case ErrorType::kUnavailable: return {"unavailable", 503};
  }
  return {"internal", 500};
}

bool NeedsEscape(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

// Escaped, or perhaps not UTF-8. Most text is neither.
bool NeedsCare(char c) { return c < 0 || NeedsEscape(c); }

void AppendList(std::string_view name, const std::vector<std::string>& texts, std::string& out) {
  if (texts.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  AppendJsonStrings(texts, out);
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (std::none_of(text.begin(), text.end(), NeedsCare)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  std::string mended;
  if (std::any_of(text.begin(), text.end(), [](char c) { return c < 0; })) {
    mended = ValidUtf8(text);
    text = mended;
  }
  out += '"';
  while (true) {
    const auto odd = std::find_if(text.begin(), text.end(), NeedsEscape);
    out.append(text.begin(), odd);
    if (odd == text.end()) break;
    text.remove_prefix(static_cast<std::size_t>(odd - text.begin()) + 1);
    switch (const char c = *odd) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        out += "\\u00";
        out += kHex[static_cast<unsigned char>(c) >> 4];
        out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  out += '"';
}

void AppendJsonStrings(const std::vector<std::string>& texts, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(texts[i], out);
  }
  out += ']';
}

void AppendJsonNumber(double value, std::string& out) {
  if (std::isfinite(value)) {
    AppendDouble(value, out);
  } else {
    out += "null";
  }
}

void AppendJsonLabels(const model::Labels& labels, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : labels) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(name, out);
    out += ':';
    AppendJsonString(value, out);
  }
  out += '}';
}

namespace {

// Seconds, as JavaScript would write them.
void AppendSeconds(std::int64_t time_ms, std::string& out) {
  std::array<char, 24> digits;
  const std::uint64_t magnitude =
      time_ms < 0 ? 0 - static_cast<std::uint64_t>(time_ms) : static_cast<std::uint64_t>(time_ms);
  if (time_ms < 0) out += '-';
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), magnitude / 1000);
  out.append(digits.data(), end);
  if (const std::uint64_t fraction = magnitude % 1000; fraction != 0) {
    out += '.';
    out += static_cast<char>('0' + fraction / 100);
    if (fraction % 100 != 0) out += static_cast<char>('0' + fraction / 10 % 10);
    if (fraction % 10 != 0) out += static_cast<char>('0' + fraction % 10);
  }
}

template <class AppendValue>
void AppendTimed(std::int64_t time_ms, double value, AppendValue append_value, std::string& out) {
  out += '[';
  AppendSeconds(time_ms, out);
  out += ",\"";
  append_value(value, out);
  out += "\"]";
}

}  // namespace

void AppendJsonScalar(std::int64_t time_ms, double value, std::string& out) {
  AppendTimed(time_ms, value, AppendPlainDouble, out);
}

void AppendJsonSample(std::int64_t time_ms, double value, std::string& out) {
  AppendTimed(time_ms, value, AppendDouble, out);
}

void AppendJsonTime(WallTime time, std::string& out) {
  out += '"';
  out += time == WallTime() ? "0001-01-01T00:00:00Z" : FormatTime(time);
  out += '"';
}

Response Success(std::string data, const std::vector<std::string>& warnings,
                 const std::vector<std::string>& infos) {
  Response response;
  response.body = std::move(data);  // May be large: in place.
  response.body.insert(0, "{\"status\":\"success\",\"data\":");
  AppendList("warnings", warnings, response.body);
  AppendList("infos", infos, response.body);
  response.body += '}';
  return response;
}

Response PlainError(int status, std::string text) {
  Response response{status, "text/plain; charset=utf-8", std::move(text) + "\n", {}};
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

Response Failure(ErrorType type, std::string_view message) {
  const ErrorTypeRow row = RowOf(type);
  Response response;
  response.status = row.status;
  response.body = "{\"status\":\"error\",\"errorType\":\"";
  response.body += row.name;
  response.body += "\",\"error\":";
  AppendJsonString(message, response.body);
  response.body += '}';
  return response;
}

Response EvaluationFailure(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDeadlineExceeded: return Failure(ErrorType::kTimeout, error.message);
    case ErrorCode::kCancelled: return Failure(ErrorType::kCanceled, error.message);
    case ErrorCode::kIoError:
    case ErrorCode::kCorruption:
    case ErrorCode::kInternal: return Failure(ErrorType::kInternal, error.message);
    default: return Failure(ErrorType::kExecution, error.message);
  }
}

Response InvalidParameter(std::string_view name, std::string_view message) {
  return Failure(ErrorType::kBadData,
                 "invalid parameter \"" + std::string(name) + "\": " + std::string(message));
}

}  // namespace tocsin::api
