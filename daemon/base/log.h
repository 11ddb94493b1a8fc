#pragma once

// A log line is a sentence and structured fields; its level says what the
// operator must do: error = data or a page is at risk, act now; warning = act
// soon; info = nothing to do, a change worth knowing; debug = for developers.
// Log on change, not at every interval. Thread-safe.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tocsin {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogField = std::pair<std::string_view, std::string>;

// Writes to standard error: logfmt, with systemd's priority prefix under journald.
void InitLog(LogLevel threshold);
void Log(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields = {});

inline void LogDebug(std::string_view sentence, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, sentence, fields);
}
inline void LogInfo(std::string_view sentence, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, sentence, fields);
}
inline void LogWarning(std::string_view sentence, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, sentence, fields);
}
inline void LogError(std::string_view sentence, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, sentence, fields);
}

}  // namespace tocsin
