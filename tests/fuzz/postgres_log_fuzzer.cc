// PostgreSQL's log in its three formats: the first byte says which, for text the first
// line is the log_line_prefix. Pieces of any size give the records of the whole.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/postgres/log_record.h"
#include "collectors/postgres/statement_durations.h"
#include "daemon/base/check.h"

namespace {

using namespace tocsin::collectors::postgres;  // NOLINT

std::unique_ptr<LogDecoder> MakeDecoder(std::uint8_t kind, const std::string& prefix) {
  if (kind % 3 == 1) return MakeCsvLogDecoder();
  if (kind % 3 == 2) return MakeJsonLogDecoder();
  auto decoder = MakeTextLogDecoder(prefix);
  return decoder.ok() ? *std::move(decoder) : nullptr;
}

std::vector<std::string> Records(LogDecoder& decoder, std::string_view bytes, std::size_t piece) {
  std::vector<std::string> records;
  StatementDurations durations;
  while (!bytes.empty()) {
    decoder.Feed(bytes.substr(0, piece), [&](const LogRecord& record) {
      durations.Add(record);
      records.push_back(std::to_string(record.pid) + "\n" + std::string(record.user) + "\n" +
                        std::string(record.database) + "\n" + std::string(record.severity) + "\n" +
                        std::string(record.message));
    });
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  tocsin::model::MetricBatch batch;
  durations.Emit(batch);
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string prefix;
  if (data[0] % 3 == 0) {
    const auto end = bytes.find('\n');
    prefix = bytes.substr(0, end);
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
  }
  const auto whole = MakeDecoder(data[0], prefix);
  if (!whole) return 0;
  const auto pieces = MakeDecoder(data[0], prefix);
  TOCSIN_CHECK(Records(*whole, bytes, bytes.size() + 1) ==
               Records(*pieces, bytes, std::size_t{1} + data[1]));
  return 0;
}
