#pragma once

// PostgreSQL's log, record by record: what a message says of a statement's
// duration, and the decoders of its three formats (text under a log_line_prefix,
// csvlog, jsonlog). Decoders take the file in pieces of any size, hold no more
// than a bounded part of one record, and skip what they cannot read.
//
// Messages must be English (lc_messages = C or en_*).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace tocsin::collectors::postgres {

struct LogRecord {
  std::int64_t pid = 0;
  std::string_view user;
  std::string_view database;
  std::string_view severity;  // "LOG", "ERROR", …
  std::string_view message;   // Its beginning at least.
};

enum class LogEventKind {
  kOther,
  kStatementBegins,  // "statement: …" (log_statement); its duration follows.
  kExecuteBegins,    // "execute …: …", likewise.
  kCallBegins,       // "fastpath function call: …": no statement.
  kDuration,         // "duration: 0.1 ms" and no more.
  kParse,            // "duration: 0.1 ms  parse …", and so on.
  kBind,
  kStatement,
  kExecute,
  kFailed,  // The statement under way ended with an error.
};

struct LogEvent {
  LogEventKind kind = LogEventKind::kOther;
  double seconds = 0;
};

LogEvent ParseLogMessage(std::string_view severity, std::string_view message);

// Not thread-safe.
class LogDecoder {
 public:
  using Sink = std::function<void(const LogRecord&)>;

  virtual ~LogDecoder() = default;
  // Decodes the next bytes of the file; the sink gets each record that is whole.
  virtual void Feed(std::string_view bytes, const Sink& sink) = 0;
  // Forgets the beginning of a record: what follows is another file or place.
  virtual void Reset() = 0;

  // How much of one record is looked at; durations stand at its beginning.
  static constexpr std::size_t kMostRecordBytes = 16 * 1024;
};

// Errors: kInvalidArgument if `log_line_prefix` lacks the process, the user or the
// database, naming what to set.
Result<std::unique_ptr<LogDecoder>> MakeTextLogDecoder(const std::string& log_line_prefix);
std::unique_ptr<LogDecoder> MakeCsvLogDecoder();
std::unique_ptr<LogDecoder> MakeJsonLogDecoder();

}  // namespace tocsin::collectors::postgres
