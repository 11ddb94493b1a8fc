#include <array>
#include <charconv>

#include "collectors/postgres/log_record.h"

namespace tocsin::collectors::postgres {
namespace {

// Places in a csvlog record, the same since PostgreSQL 9; later versions only add
// at the end.
constexpr std::size_t kUser = 1;
constexpr std::size_t kDatabase = 2;
constexpr std::size_t kPid = 3;
constexpr std::size_t kSeverity = 11;
constexpr std::size_t kMessage = 13;
constexpr std::size_t kLeastFields = 23;
constexpr std::size_t kMostFieldBytes = 512;

class CsvLogDecoder : public LogDecoder {
 public:
  void Feed(std::string_view bytes, const Sink& sink) override {
    for (const char c : bytes) {
      if (quoted_) {
        if (c == '"') {
          quoted_ = false;
          after_quote_ = true;
        } else {
          Append(c);
        }
        continue;
      }
      const bool is_second_quote = after_quote_ && c == '"';
      after_quote_ = false;
      if (is_second_quote) {
        Append('"');
        quoted_ = true;
      } else if (c == '"') {
        quoted_ = true;
      } else if (c == ',') {
        ++field_;
      } else if (c == '\n') {
        End(sink);
      } else if (c != '\r') {
        Append(c);
      }
    }
  }

  void Reset() override {
    field_ = 0;
    quoted_ = after_quote_ = false;
    for (auto& field : fields_) field.clear();
  }

 private:
  void Append(char c) {
    if (field_ < fields_.size() && fields_[field_].size() < kMostFieldBytes) fields_[field_] += c;
  }

  void End(const Sink& sink) {
    LogRecord record;
    const std::string& digits = fields_[kPid];
    const auto pid = std::from_chars(digits.data(), digits.data() + digits.size(), record.pid);
    if (field_ + 1 >= kLeastFields && pid.ec == std::errc() &&
        pid.ptr == digits.data() + digits.size()) {
      record.user = fields_[kUser];
      record.database = fields_[kDatabase];
      record.severity = fields_[kSeverity];
      record.message = fields_[kMessage];
      sink(record);
    }
    Reset();
  }

  std::array<std::string, kMessage + 1> fields_;
  std::size_t field_ = 0;
  bool quoted_ = false;
  bool after_quote_ = false;
};

}  // namespace

std::unique_ptr<LogDecoder> MakeCsvLogDecoder() { return std::make_unique<CsvLogDecoder>(); }

}  // namespace tocsin::collectors::postgres
