#include "daemon/store/journal_row.h"

#include <bit>
#include <cmath>
#include <utility>

#include "daemon/model/sample.h"
#include "daemon/store/varint.h"

namespace tocsin::store {
namespace {

constexpr double kMaxInteger = 4503599627370496.0;  // 2^52: doubled twice it still fits.
constexpr std::uint64_t kRawFollows = 1;
constexpr std::uint64_t kStale = 3;

// Writes to `at`, where kMaxValueBytes are free; returns the end.
constexpr std::size_t kMaxValueBytes = kMaxVarintBytes + sizeof(double);
char* WriteValue(double value, char* at) {
  if (std::fabs(value) < kMaxInteger) {
    const auto integer = static_cast<std::int64_t>(value);
    if (std::bit_cast<std::uint64_t>(static_cast<double>(integer)) ==
        std::bit_cast<std::uint64_t>(value)) {
      return WriteVarint(ZigZag(integer) << 1, at);
    }
  }
  if (model::IsStaleMarker(value)) return WriteVarint(kStale, at);
  at = WriteVarint(kRawFollows, at);
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

double ReadValue(ByteReader& reader) {
  const std::uint64_t code = reader.Varint();
  if ((code & 1) == 0) return static_cast<double>(UnZigZag(code >> 1));
  if (code == kStale) return model::StaleMarker();
  if (code != kRawFollows) reader.Fail();
  return std::bit_cast<double>(reader.ReadWord<std::uint64_t>());
}

}  // namespace

JournalEncoder::JournalEncoder(std::size_t samples_expected) {
  constexpr std::size_t kUsualSampleBytes = 8;  // Between a counter's and a fraction's.
  bytes_.reserve(sizeof(std::uint32_t) + samples_expected * kUsualSampleBytes);
}

void JournalEncoder::Add(std::uint64_t history_id, std::int64_t time_ms, double value) {
  if (newest_.size() - newest_size_ < 2 * kMaxVarintBytes + kMaxValueBytes) Flush();
  char* const begin = newest_.data() + newest_size_;
  char* end = WriteVarint(ZigZag(static_cast<std::int64_t>(history_id - history_id_)), begin);
  end = WriteVarint(ZigZag(WrappingSubtract(time_ms, time_ms_)), end);
  end = WriteValue(value, end);
  newest_size_ += static_cast<std::size_t>(end - begin);
  history_id_ = history_id;
  time_ms_ = time_ms;
}

void JournalEncoder::Flush() {
  if (bytes_.empty()) bytes_.assign(sizeof(std::uint32_t), '\0');  // Room for the checksum.
  bytes_.append(newest_.data(), newest_size_);
  newest_size_ = 0;
}

std::string JournalEncoder::Take() {
  if (newest_size_ > 0) Flush();
  if (!bytes_.empty()) {
    const std::uint32_t sum = Checksum(std::string_view(bytes_).substr(sizeof(std::uint32_t)));
    std::memcpy(bytes_.data(), &sum, sizeof(sum));
  }
  history_id_ = 0;
  time_ms_ = 0;
  return std::exchange(bytes_, {});
}

std::optional<std::vector<JournalSample>> DecodeJournalRow(std::string_view payload) {
  ByteReader reader(payload);
  const auto sum = reader.ReadWord<std::uint32_t>();
  if (!reader.ok() || sum != Checksum(payload.substr(sizeof(sum)))) return std::nullopt;
  std::vector<JournalSample> samples;
  samples.reserve(reader.left() / 4);
  JournalSample sample;
  while (!reader.done()) {
    sample.history_id += static_cast<std::uint64_t>(UnZigZag(reader.Varint()));
    sample.time_ms = WrappingAdd(sample.time_ms, UnZigZag(reader.Varint()));
    sample.value = ReadValue(reader);
    if (!reader.ok()) return std::nullopt;
    samples.push_back(sample);
  }
  return samples;
}

std::string EncodeLabels(const model::Labels& labels) {
  std::string bytes;
  for (const auto& [name, value] : labels) {
    PutVarint(name.size(), bytes);
    bytes += name;
    PutVarint(value.size(), bytes);
    bytes += value;
  }
  std::string blob;
  PutWord(Checksum(bytes), blob);
  return blob + bytes;
}

std::optional<model::Labels> DecodeLabels(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto sum = reader.ReadWord<std::uint32_t>();
  if (!reader.ok() || sum != Checksum(bytes.substr(sizeof(sum)))) return std::nullopt;
  std::vector<model::LabelView> pairs;
  while (!reader.done()) {
    const std::string_view name = reader.Bytes(reader.Varint());
    const std::string_view value = reader.Bytes(reader.Varint());
    if (!reader.ok()) return std::nullopt;
    pairs.emplace_back(name, value);
  }
  return model::Labels::FromPairs(std::move(pairs));
}

}  // namespace tocsin::store
