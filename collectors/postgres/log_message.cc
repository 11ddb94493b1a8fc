#include "collectors/postgres/log_record.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kDuration = "duration: ";
constexpr std::string_view kMilliseconds = " ms";

bool Take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

LogEvent ParseDurationMessage(std::string_view rest) {
  const auto end = rest.find(kMilliseconds);
  if (end == std::string_view::npos) return {};
  const auto millis = ParseDouble(rest.substr(0, end));
  if (!millis || !(*millis >= 0)) return {};
  rest.remove_prefix(end + kMilliseconds.size());
  const double seconds = *millis / 1000;
  if (rest.empty()) return {LogEventKind::kDuration, seconds};
  if (!Take(rest, "  ")) return {};
  if (rest.starts_with("statement: ")) return {LogEventKind::kStatement, seconds};
  if (rest.starts_with("execute ")) return {LogEventKind::kExecute, seconds};
  if (rest.starts_with("parse ")) return {LogEventKind::kParse, seconds};
  if (rest.starts_with("bind ")) return {LogEventKind::kBind, seconds};
  return {};  // auto_explain's "plan:", a fastpath call.
}

}  // namespace

LogEvent ParseLogMessage(std::string_view severity, std::string_view message) {
  if (severity == "ERROR" || severity == "FATAL" || severity == "PANIC") {
    return {LogEventKind::kFailed, 0};
  }
  if (severity != "LOG") return {};
  // log_error_verbosity = verbose puts the SQLSTATE in front.
  Take(message, "00000: ");
  if (Take(message, kDuration)) return ParseDurationMessage(message);
  if (message.starts_with("statement: ")) return {LogEventKind::kStatementBegins, 0};
  if (message.starts_with("execute ")) return {LogEventKind::kExecuteBegins, 0};
  if (message.starts_with("fastpath function call: ")) return {LogEventKind::kCallBegins, 0};
  return {};
}

}  // namespace tocsin::collectors::postgres
