#include "daemon/store/series.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "daemon/base/check.h"
#include "daemon/store/chunk_codec.h"

namespace tocsin::store {
namespace {

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

std::unique_ptr<char[]> CopyBytes(const std::string& bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

// What the allocator gives for `size` bytes: multiples of 16, less its own 8.
std::size_t RoomFor(std::size_t size) { return (size + 8 + 15) / 16 * 16 - 8; }

// The series of one target shall not all be sealed in the same commit.
constexpr std::size_t kSealSpread = 16;

void FetchLines(std::string_view bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes.size(); at += kLineBytes) {
    __builtin_prefetch(bytes.data() + at);
  }
}

// An encoding that was extended is not quite as small as one made at once: at these
// counts, and some more by the series, it is made anew, when there are enough samples to
// know their nature.
constexpr std::array<std::size_t, 3> kEncodeAnewAt = {16, 48, 128};

bool IsTimeToEncodeAnew(std::size_t before, std::size_t after, std::uint64_t history_id) {
  return std::any_of(kEncodeAnewAt.begin(), kEncodeAnewAt.end(), [&](std::size_t least) {
    const std::size_t count = least + history_id % (least / 4);
    return before < count && count <= after;
  });
}

}  // namespace

struct Series::Columns {
  std::size_t count = 0;
  std::array<std::int64_t, kMaxChunkSamples> times_ms;
  std::array<double, kMaxChunkSamples> values;
};

void Series::ContinueHistory(std::int64_t first_ms, std::int64_t last_ms,
                             std::optional<double> last_value) {
  TOCSIN_CHECK(!ever_had_samples());
  has_history_ = 1;
  registered_ = 1;
  first_ms_ = first_ms;
  last_ms_ = last_ms;
  if (!last_value.has_value()) return;
  tail_values_[0] = *last_value;
  tail_count_ = 1;
  tail_encoded_ = 1;
}

AppendVerdict Series::Append(std::int64_t time_ms, double value, std::uint64_t sequence,
                             std::int64_t now_ms) {
  if (ever_had_samples() && time_ms <= last_ms_) {
    if (time_ms < last_ms_) return AppendVerdict::kOutOfOrder;
    // The last value is unknown if history could not be read.
    if (tail_count_ == 0) return AppendVerdict::kOutOfOrder;
    return SameBits(value, tail_values_[tail_count_ - 1]) ? AppendVerdict::kSame
                                                          : AppendVerdict::kDuplicate;
  }
  const auto step_ms = static_cast<std::uint64_t>(time_ms) - static_cast<std::uint64_t>(last_ms_);
  const bool far = step_ms > std::numeric_limits<std::uint16_t>::max();
  if (TailIsFull() || (far && tail_count_ > tail_encoded_)) MakeRoom(now_ms);
  if (!has_open_chunk()) {
    open_first_ms_ = time_ms;
    open_first_sequence_ = sequence;
    open_since_ms_ = now_ms;
  }
  if (tail_count_ > 0) {
    tail_steps_ms_[tail_count_ - 1u] = far ? 0 : static_cast<std::uint16_t>(step_ms);
  }
  tail_values_[tail_count_] = value;
  ++tail_count_;
  first_ms_ = std::min(first_ms_, time_ms);
  last_ms_ = time_ms;
  touched_at_ms_ = now_ms;
  return AppendVerdict::kStored;
}

bool Series::TailIsFull() const {
  if (tail_count_ == kTailSamples) return true;
  // The first tail is shorter, by the series, so that the series of one target do not
  // all compress in the same commit.
  return tail_encoded_ == 0 && tail_count_ == 1 + history_id_ % (kTailSamples - 1);
}

// Leaves at most one sample, an encoded one, in the tail.
void Series::MakeRoom(std::int64_t now_ms) {
  const std::size_t limit = kMaxChunkSamples - history_id_ % kSealSpread;
  if (open_count_ + tail_count_ + kTailSamples > limit) return Seal(now_ms);
  CompressTail();
}

void Series::GatherTail(Columns& columns) const {
  for (std::size_t i = tail_encoded_; i < tail_count_; ++i) {
    columns.times_ms[columns.count] = TailTime(i);
    columns.values[columns.count++] = tail_values_[i];
  }
}

void Series::GatherOpenChunk(Columns& columns) const {
  columns.count = 0;
  if (open_count_ > 0) {
    columns.count = DecodeChunk(open_bytes(), columns.times_ms.data(), columns.values.data());
    TOCSIN_CHECK(columns.count == open_count_);
  }
  GatherTail(columns);
}

// All of the tail is encoded now: only its last sample stays.
void Series::ForgetTail() {
  tail_values_[0] = tail_values_[tail_count_ - 1u];
  tail_count_ = 1;
  tail_encoded_ = 1;
}

void Series::CompressTail() {
  Columns columns;
  thread_local std::string encoded;  // Keeps its memory from one chunk to the next.
  GatherTail(columns);
  const std::size_t count = open_count_ + columns.count;
  bool extended = false;
  if (open_count_ > 0 && !IsTimeToEncodeAnew(open_count_, count, history_id_)) {
    const bool is_far = tail_steps_ms_[0] == 0;
    const std::int64_t encoded_until_ms = is_far ? ChunkLastTime(open_bytes()) : TailTime(0);
    extended = ExtendChunk(open_bytes(), encoded_until_ms, columns.times_ms.data(),
                           columns.values.data(), columns.count, encoded);
  }
  if (!extended) {
    GatherOpenChunk(columns);
    EncodeChunk(columns.times_ms.data(), columns.values.data(), count, encoded, Effort::kQuick);
  }
  StoreOpenChunk(encoded);
  open_count_ = count;
  ForgetTail();
}

void Series::StoreOpenChunk(const std::string& encoded) {
  const std::size_t room = RoomFor(encoded.size());
  if (open_ == nullptr || RoomFor(open_size_) != room) open_.reset(new char[room]);
  std::memcpy(open_.get(), encoded.data(), encoded.size());
  open_size_ = encoded.size();
}

void Series::Seal(std::int64_t now_ms) {
  if (!has_open_chunk()) return;
  Columns columns;
  thread_local std::string encoded;
  GatherOpenChunk(columns);
  EncodeChunk(columns.times_ms.data(), columns.values.data(), columns.count, encoded,
              Effort::kSmallest);
  SealedChunk chunk;
  chunk.last_ms = last_ms_;
  chunk.sealed_at_ms = now_ms;
  chunk.first_sequence = open_first_sequence_;
  chunk.data = CopyBytes(encoded);
  chunk.size = encoded.size();
  chunk.samples = columns.count;
  chunks_.Add(std::move(chunk));
  open_.reset();
  open_size_ = 0;
  open_count_ = 0;
  ForgetTail();
}

void Series::MarkSaved(std::int64_t last_ms) {
  for (SealedChunk& chunk : chunks_) {
    if (chunk.last_ms > last_ms) break;
    chunk.saved = 1;
    has_history_ = 1;
  }
}

void Series::ForgetHistory() {
  for (SealedChunk& chunk : chunks_) chunk.saved = 0;
  has_history_ = 0;
  registered_ = 0;
  first_ms_ = memory_from_ms();
}

void Series::FetchForAppend() const {
  if (TailIsFull()) FetchOpenChunk();
}

void Series::FetchSamples(std::int64_t from_ms) const {
  labels_.Fetch();
  FetchOpenChunk();
  if (!OpenChunkCovers(from_ms) && !chunks_.empty()) FetchLines((chunks_.end() - 1)->bytes());
}

void Series::FetchOpenChunk() const { FetchLines(open_bytes()); }

std::int64_t Series::memory_from_ms() const {
  if (!chunks_.empty()) return chunks_.front().first_ms();
  if (has_open_chunk()) return open_first_ms_;
  return std::numeric_limits<std::int64_t>::max();
}

std::uint64_t Series::first_unsaved_sequence() const {
  for (const SealedChunk& chunk : chunks_) {
    if (!chunk.saved) return chunk.first_sequence;
  }
  return has_open_chunk() ? open_first_sequence_ : kNoSequence;
}

void Series::Read(model::TimeRange range, model::SampleColumns& out) const {
  if (!OpenChunkCovers(range.from_ms)) {
    const SealedChunk* chunk = std::partition_point(
        chunks_.begin(), chunks_.end(),
        [&](const SealedChunk& sealed) { return sealed.last_ms < range.from_ms; });
    for (; chunk != chunks_.end() && chunk->first_ms() <= range.to_ms; ++chunk) {
      TOCSIN_CHECK(ReadChunk(chunk->bytes(), range, out));
    }
  }
  if (!has_open_chunk() || open_first_ms_ > range.to_ms) return;
  const bool tail_suffices =
      tail_count_ > tail_encoded_ && TailTime(tail_encoded_) <= range.from_ms;
  if (open_count_ > 0 && !tail_suffices) TOCSIN_CHECK(ReadChunk(open_bytes(), range, out));
  ReadTail(range, out);
}

// Requires: no step behind it that is too large to say.
std::int64_t Series::TailTime(std::size_t index) const {
  std::int64_t time_ms = last_ms_;
  for (std::size_t i = tail_count_ - 1u; i > index; --i) time_ms -= tail_steps_ms_[i - 1];
  return time_ms;
}

void Series::ReadTail(model::TimeRange range, model::SampleColumns& out) const {
  if (tail_count_ == tail_encoded_) return;
  std::int64_t time_ms = TailTime(tail_encoded_);
  for (std::size_t i = tail_encoded_; i < tail_count_ && time_ms <= range.to_ms; ++i) {
    if (time_ms >= range.from_ms) out.Add(time_ms, tail_values_[i]);
    if (i + 1 < tail_count_) time_ms += tail_steps_ms_[i];
  }
}

bool Series::ReadLastOfTail(model::TimeRange range, model::Sample& out) const {
  // The encoded one is of a chunk, which may be dropped, unless it is of the open one.
  const bool whole = open_count_ > 0 && (tail_count_ == 1 || tail_steps_ms_[0] != 0);
  const std::size_t first = whole ? 0 : tail_encoded_;
  std::int64_t time_ms = last_ms_;
  for (std::size_t i = tail_count_; i > first; --i) {
    if (time_ms <= range.to_ms) {
      out = {time_ms, tail_values_[i - 1]};
      return time_ms >= range.from_ms;
    }
    if (i > first + 1) time_ms -= tail_steps_ms_[i - 2];
  }
  return false;
}

std::int64_t Series::sample_count() const {
  std::int64_t samples = open_count_ + tail_count_ - tail_encoded_;
  for (const SealedChunk& chunk : chunks_) samples += chunk.samples;
  return samples;
}

std::int64_t Series::chunk_bytes() const {
  constexpr std::size_t kTailSampleBytes = sizeof(double) + sizeof(std::uint16_t);
  auto bytes =
      static_cast<std::int64_t>(open_size_ + (tail_count_ - tail_encoded_) * kTailSampleBytes);
  for (const SealedChunk& chunk : chunks_) bytes += chunk.size;
  return bytes;
}

std::int64_t Series::MemoryBytes() const {
  auto bytes = static_cast<std::int64_t>(sizeof(Series) + labels_.MemoryBytes() +
                                         RoomFor(open_size_) + chunks_.MemoryBytes());
  for (const SealedChunk& chunk : chunks_) bytes += chunk.size;
  return bytes;
}

}  // namespace tocsin::store
