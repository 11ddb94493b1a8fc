#include <re2/re2.h>

#include <charconv>
#include <vector>

#include "collectors/postgres/log_record.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kTime = R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)";

// What an escape of log_line_prefix writes, as a regular expression; empty for a
// letter that PostgreSQL does not know (it writes nothing).
std::string PatternOf(char escape) {
  switch (escape) {
    case 'a':
    case 'i': return ".*?";
    case 'b': return R"((?:client backend|parallel worker|\S+))";
    case 'u': return "(?P<user>.*?)";
    case 'd': return "(?P<database>.*?)";
    case 'r': return R"((?:\S+\(\d+\)|\[local\]|\S*))";
    case 'h': return R"(\S*)";
    case 'p': return R"((?P<pid>\d+))";
    case 'P': return R"(\d*)";
    case 't':
    case 's': return std::string(kTime) + " [^ ]+";
    case 'm': return std::string(kTime) + R"(\.\d{3} [^ ]+)";
    case 'n': return R"(\d+\.\d+)";
    case 'Q': return R"(-?\d+)";
    case 'e': return "[0-9A-Z]{5}";
    case 'c': return "[0-9a-f]+\\.(?P<session>[0-9a-f]+)";
    case 'l':
    case 'x': return R"(\d+)";
    case 'v': return R"(\S*)";
    default: return {};
  }
}

struct PrefixPattern {
  std::string pattern;
  bool has_pid = false;
  bool has_session = false;
  bool has_user = false;
  bool has_database = false;
};

PrefixPattern PatternOfPrefix(std::string_view prefix) {
  PrefixPattern result;
  std::string seen;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (prefix[i] != '%') {
      result.pattern += re2::RE2::QuoteMeta(re2::StringPiece(prefix.data() + i, 1));
      continue;
    }
    if (++i >= prefix.size()) break;
    if (prefix[i] == '%') {
      result.pattern += '%';
      continue;
    }
    if (prefix[i] == 'q') continue;  // Statements come from sessions: they write it all.
    bool padded = false;
    while (i < prefix.size() && (prefix[i] == '-' || (prefix[i] >= '0' && prefix[i] <= '9'))) {
      padded = true;
      ++i;
    }
    if (i >= prefix.size()) break;
    std::string part = PatternOf(prefix[i]);
    // A group's name may stand once only.
    if (seen.find(prefix[i]) != std::string::npos) {
      const auto name = part.find("?P<");
      if (name != std::string::npos) part.replace(name, part.find('>') - name + 1, "?:");
    }
    seen += prefix[i];
    result.pattern += padded ? " *" + part + " *" : part;
    result.has_pid |= prefix[i] == 'p';
    result.has_session |= prefix[i] == 'c';
    result.has_user |= prefix[i] == 'u';
    result.has_database |= prefix[i] == 'd';
  }
  return result;
}

class TextLogDecoder : public LogDecoder {
 public:
  explicit TextLogDecoder(const PrefixPattern& prefix)
      : line_("(?s)" + prefix.pattern + "(?P<severity>LOG|ERROR|FATAL|PANIC):  (?P<message>.*)",
              re2::RE2::Quiet) {
    const auto& groups = line_.NamedCapturingGroups();
    const auto place = [&](const char* name) {
      const auto found = groups.find(name);
      return found == groups.end() ? -1 : found->second;
    };
    pid_ = place("pid");
    session_ = place("session");
    user_ = place("user");
    database_ = place("database");
    severity_ = place("severity");
    message_ = place("message");
    captures_.resize(static_cast<std::size_t>(line_.NumberOfCapturingGroups()) + 1);
  }

  bool ok() const { return line_.ok(); }

  void Feed(std::string_view bytes, const Sink& sink) override {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto piece = bytes.substr(0, end);
      if (end != std::string_view::npos && begun_.empty()) {
        Line(piece.substr(0, kMostRecordBytes), sink);  // The usual case: no copy.
      } else {
        begun_.append(
            piece.substr(0, kMostRecordBytes - std::min(begun_.size(), kMostRecordBytes)));
        if (end == std::string_view::npos) return;
        Line(begun_, sink);
        begun_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }

  void Reset() override { begun_.clear(); }

 private:
  void Line(std::string_view line, const Sink& sink) {
    if (line.empty() || line.front() == '\t') return;  // A statement's further lines.
    if (line.back() == '\r') line.remove_suffix(1);
    if (line.find(":  ") == std::string_view::npos) return;
    const re2::StringPiece text(line.data(), line.size());
    if (!line_.Match(text, 0, text.size(), re2::RE2::ANCHOR_START, captures_.data(),
                     static_cast<int>(captures_.size()))) {
      return;
    }
    LogRecord record;
    const auto capture = [&](int place) {
      const auto& piece = captures_[static_cast<std::size_t>(place)];
      return std::string_view(piece.data(), piece.size());
    };
    const std::string_view digits = capture(pid_ >= 0 ? pid_ : session_);
    const int base = pid_ >= 0 ? 10 : 16;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), record.pid, base).ec !=
        std::errc()) {
      return;
    }
    record.user = TrimSpace(capture(user_));
    record.database = TrimSpace(capture(database_));
    record.severity = capture(severity_);
    record.message = capture(message_);
    sink(record);
  }

  re2::RE2 line_;
  std::vector<re2::StringPiece> captures_;
  int pid_, session_, user_, database_, severity_, message_;
  std::string begun_;  // The beginning of a line whose end is still to come.
};

}  // namespace

Result<std::unique_ptr<LogDecoder>> MakeTextLogDecoder(const std::string& log_line_prefix) {
  const PrefixPattern prefix = PatternOfPrefix(log_line_prefix);
  std::string missing;
  const auto need = [&](bool is_there, std::string_view what) {
    if (!is_there) missing.append(missing.empty() ? "" : ", ").append(what);
  };
  need(prefix.has_pid || prefix.has_session, "the process (%p)");
  need(prefix.has_user, "the user (%u)");
  need(prefix.has_database, "the database (%d)");
  if (!missing.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "log_line_prefix = '" + log_line_prefix + "' lacks " + missing +
                     ": set log_line_prefix = '%m [%p] %q%u@%d ' and reload"};
  }
  auto decoder = std::make_unique<TextLogDecoder>(prefix);
  if (!decoder->ok()) {
    return Error{ErrorCode::kInvalidArgument,
                 "log_line_prefix = '" + log_line_prefix +
                     "' cannot be read: set log_line_prefix = '%m [%p] %q%u@%d ' and reload"};
  }
  return std::unique_ptr<LogDecoder>(std::move(decoder));
}

}  // namespace tocsin::collectors::postgres
