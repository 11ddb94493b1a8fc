#include "daemon/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace tocsin {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// journald reads the priority from "<N>" at the start of a line.
std::string_view JournalPriority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "<7>";
    case LogLevel::kInfo: return "<6>";
    case LogLevel::kWarning: return "<4>";
    case LogLevel::kError: return "<3>";
  }
  return "<6>";
}

bool UnderJournal() { return std::getenv("JOURNAL_STREAM") != nullptr; }

// A field's value in logfmt: bare if it can be, else quoted and escaped.
void AppendValue(std::string_view value, std::string& out) {
  const bool bare = !value.empty() && value.find_first_of(" =\"\\\n\t") == value.npos;
  if (bare) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

void InitLog(LogLevel threshold) {
  auto logger = spdlog::get("tocsin");
  if (!logger) logger = spdlog::stderr_color_mt("tocsin");
  logger->set_level(ToSpdlog(threshold));
  logger->set_pattern(UnderJournal() ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
}

void Log(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields) {
  const auto logger = spdlog::default_logger();
  if (!logger->should_log(ToSpdlog(level))) return;
  std::string line;
  if (UnderJournal()) line += JournalPriority(level);
  line += sentence;
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += name;
    line += '=';
    AppendValue(value, line);
  }
  logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tocsin
