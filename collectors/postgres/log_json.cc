#include <algorithm>
#include <charconv>

#include "collectors/postgres/log_record.h"

namespace tocsin::collectors::postgres {
namespace {

// Reads the members of one flat object, as jsonlog writes one per line. A line cut
// at kMostRecordBytes yields the members before the cut: "message" comes early.
class Members {
 public:
  explicit Members(std::string_view line) : rest_(line) {}

  bool Begin() { return Skip('{'); }

  // The next member; strings are unescaped as far as our words need it.
  bool Next(std::string& name, std::string& value) {
    if (!ReadString(name) || !Skip(':')) return false;
    if (!rest_.empty() && rest_.front() == '"') {
      if (!ReadString(value)) return false;
    } else {
      const auto end = std::min(rest_.find_first_of(",}"), rest_.size());
      value.assign(rest_.substr(0, end));
      rest_.remove_prefix(end);
    }
    Skip(',');
    return true;
  }

 private:
  bool Skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ReadString(std::string& text) {
    text.clear();
    if (!Skip('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        text += c;
        continue;
      }
      if (rest_.empty()) break;
      const char escaped = rest_.front();
      rest_.remove_prefix(1);
      switch (escaped) {
        case 'n': text += '\n'; break;
        case 't': text += '\t'; break;
        case 'r': text += '\r'; break;
        case 'b': text += '\b'; break;
        case 'f': text += '\f'; break;
        case 'u': {  // jsonlog writes it for control characters only.
          unsigned code = 0;
          const auto digits = rest_.substr(0, 4);
          std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
          rest_.remove_prefix(digits.size());
          text += code < 0x80 ? static_cast<char>(code) : '?';
          break;
        }
        default: text += escaped;
      }
    }
    return !text.empty();  // Cut off: the beginning is what we need.
  }

  std::string_view rest_;
};

class JsonLogDecoder : public LogDecoder {
 public:
  void Feed(std::string_view bytes, const Sink& sink) override {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto piece = bytes.substr(0, end);
      begun_.append(piece.substr(0, kMostRecordBytes - std::min(begun_.size(), kMostRecordBytes)));
      if (end == std::string_view::npos) return;
      Line(sink);
      begun_.clear();
      bytes.remove_prefix(end + 1);
    }
  }

  void Reset() override { begun_.clear(); }

 private:
  void Line(const Sink& sink) {
    Members members(begun_);
    if (!members.Begin()) return;
    LogRecord record;
    user_.clear();
    database_.clear();
    severity_.clear();
    message_.clear();
    while (members.Next(name_, value_)) {
      if (name_ == "user") user_ = value_;
      if (name_ == "dbname") database_ = value_;
      if (name_ == "error_severity") severity_ = value_;
      if (name_ == "message") message_ = value_;
      if (name_ == "pid") {
        std::from_chars(value_.data(), value_.data() + value_.size(), record.pid);
      }
    }
    if (record.pid == 0 || severity_.empty()) return;
    record.user = user_;
    record.database = database_;
    record.severity = severity_;
    record.message = message_;
    sink(record);
  }

  std::string begun_;
  std::string name_, value_;
  std::string user_, database_, severity_, message_;
};

}  // namespace

std::unique_ptr<LogDecoder> MakeJsonLogDecoder() { return std::make_unique<JsonLogDecoder>(); }

}  // namespace tocsin::collectors::postgres
