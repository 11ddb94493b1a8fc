#include "daemon/store/series.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/base/check.h"
#include "daemon/store/chunk_codec.h"

namespace tocsin::store {
namespace {

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Whether `time_ms` can be told as an offset in a tail that began at `first_ms`.
bool FitsTail(std::int64_t time_ms, std::int64_t first_ms) {
  return static_cast<std::uint64_t>(time_ms) - static_cast<std::uint64_t>(first_ms) <=
         std::numeric_limits<std::uint32_t>::max();
}

std::unique_ptr<char[]> CopyBytes(const std::string& bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

void Series::ContinueHistory(std::int64_t first_ms, std::int64_t last_ms,
                             std::optional<double> last_value) {
  has_history_ = true;
  registered_ = true;
  first_ms_ = std::min(first_ms_, first_ms);
  last_ms_ = std::max(last_ms_, last_ms);
  has_last_value_ = last_value.has_value();
  last_value_ = last_value.value_or(0);
}

AppendVerdict Series::Append(std::int64_t time_ms, double value, std::uint64_t sequence,
                             std::int64_t now_ms) {
  if (ever_had_samples() && time_ms <= last_ms_) {
    if (time_ms < last_ms_) return AppendVerdict::kOutOfOrder;
    // The last value is unknown if history could not be read.
    if (!has_last_value_) return AppendVerdict::kOutOfOrder;
    return SameBits(value, last_value_) ? AppendVerdict::kSame : AppendVerdict::kDuplicate;
  }
  if (has_open_chunk() && !FitsTail(time_ms, open_first_ms_)) Seal(now_ms);
  if (!has_open_chunk()) {
    open_first_ms_ = time_ms;
    open_first_sequence_ = sequence;
    open_since_ms_ = now_ms;
  }
  if (open_ == nullptr) StartOpenChunk({});
  if (tail_count_ == tail_room_) GrowTail();
  tail_offsets_ms()[tail_count_] = static_cast<std::uint32_t>(time_ms - open_first_ms_);
  tail_values()[tail_count_] = value;
  ++tail_count_;
  first_ms_ = std::min(first_ms_, time_ms);
  last_ms_ = time_ms;
  last_value_ = value;
  has_last_value_ = true;
  touched_at_ms_ = now_ms;
  if (tail_count_ == tail_limit_) {
    tail_limit_ = kTailSamples;
    CompressTail(now_ms, open_count_ + tail_count_ + kTailSamples > kMaxChunkSamples);
  }
  return AppendVerdict::kStored;
}

void Series::StartOpenChunk(std::string_view encoded) {
  open_.reset(new char[TailBytes(kTailStep) + encoded.size()]);
  tail_room_ = kTailStep;
  open_size_ = static_cast<std::uint32_t>(encoded.size());
  std::copy(encoded.begin(), encoded.end(), open_.get() + TailBytes(tail_room_));
}

void Series::GrowTail() {
  const std::unique_ptr<char[]> old = std::move(open_);
  const char* from = old.get();
  const std::size_t room = tail_room_ + kTailStep;
  open_.reset(new char[TailBytes(room) + open_size_]);
  char* to = open_.get();
  std::memcpy(to, from, tail_room_ * sizeof(double));
  std::memcpy(to + room * sizeof(double), from + tail_room_ * sizeof(double),
              tail_room_ * sizeof(std::uint32_t));
  std::memcpy(to + TailBytes(room), from + TailBytes(tail_room_), open_size_);
  tail_room_ = static_cast<std::uint8_t>(room);
}

void Series::CompressTail(std::int64_t now_ms, bool seal) {
  std::int64_t times_ms[kMaxChunkSamples];
  double values[kMaxChunkSamples];
  std::size_t count = 0;
  if (open_count_ > 0) {
    count = DecodeChunk(open_bytes(), times_ms, values);
    TOCSIN_CHECK(count == open_count_);
  }
  for (std::size_t i = 0; i < tail_count_; ++i) times_ms[count + i] = TailTime(i);
  std::copy_n(tail_values(), tail_count_, values + count);
  count += tail_count_;
  tail_count_ = 0;
  thread_local std::string encoded;  // Keeps its memory from one chunk to the next.
  EncodeChunk(times_ms, values, count, encoded, seal ? Effort::kSmallest : Effort::kQuick);
  if (!seal) {
    StartOpenChunk(encoded);
    open_count_ = static_cast<std::uint8_t>(count);
    return;
  }
  SealedChunk chunk;
  chunk.first_ms = times_ms[0];
  chunk.last_ms = times_ms[count - 1];
  chunk.sealed_at_ms = now_ms;
  chunk.first_sequence = open_first_sequence_;
  chunk.data = CopyBytes(encoded);
  chunk.size = static_cast<std::uint32_t>(encoded.size());
  chunk.samples = static_cast<std::uint16_t>(count);
  // Nearly exactly: memory counts, and chunks are rare, unless somebody sends samples
  // that are far apart.
  if (chunks_.size() == chunks_.capacity()) {
    chunks_.reserve(chunks_.size() + std::max<std::size_t>(1, chunks_.size() / 8));
  }
  chunks_.push_back(std::move(chunk));
  open_.reset();
  tail_room_ = 0;
  open_size_ = 0;
  open_count_ = 0;
}

void Series::Seal(std::int64_t now_ms) {
  if (!has_open_chunk()) return;
  CompressTail(now_ms, true);
}

void Series::MarkSaved(std::int64_t last_ms) {
  for (SealedChunk& chunk : chunks_) {
    if (chunk.last_ms > last_ms) break;
    chunk.saved = true;
    has_history_ = true;
  }
}

void Series::ForgetHistory() {
  for (SealedChunk& chunk : chunks_) chunk.saved = false;
  has_history_ = false;
  registered_ = false;
  first_ms_ = memory_from_ms();
}

void Series::FetchTail() const {
  if (open_ == nullptr) return;
  __builtin_prefetch(tail_values() + tail_count_);
  __builtin_prefetch(tail_offsets_ms() + tail_count_);
}

void Series::FetchSamples() const {
  labels_.Fetch();
  constexpr std::size_t kLineBytes = 64;
  const std::size_t size = open_ == nullptr ? 0 : TailBytes(tail_room_) + open_size_;
  for (std::size_t at = 0; at < size; at += kLineBytes) __builtin_prefetch(open_.get() + at);
}

std::int64_t Series::memory_from_ms() const {
  if (!chunks_.empty()) return chunks_.front().first_ms;
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
    auto chunk = std::partition_point(
        chunks_.begin(), chunks_.end(),
        [&](const SealedChunk& sealed) { return sealed.last_ms < range.from_ms; });
    for (; chunk != chunks_.end() && chunk->first_ms <= range.to_ms; ++chunk) {
      TOCSIN_CHECK(ReadChunk(chunk->bytes(), range, out));
    }
  }
  if (!has_open_chunk() || open_first_ms_ > range.to_ms) return;
  const bool tail_suffices = tail_count_ > 0 && TailTime(0) <= range.from_ms;
  if (open_count_ > 0 && !tail_suffices) TOCSIN_CHECK(ReadChunk(open_bytes(), range, out));
  ReadTail(range, out);
}

void Series::ReadTail(model::TimeRange range, model::SampleColumns& out) const {
  std::size_t first = 0;
  while (first < tail_count_ && TailTime(first) < range.from_ms) ++first;
  std::size_t last = tail_count_;
  while (last > first && TailTime(last - 1) > range.to_ms) --last;
  if (first == last) return;
  for (std::size_t i = first; i < last; ++i) out.times_ms.push_back(TailTime(i));
  out.values.insert(out.values.end(), tail_values() + first, tail_values() + last);
}

bool Series::ReadLastOfTail(model::TimeRange range, model::Sample& out) const {
  for (std::size_t i = tail_count_; i > 0; --i) {
    const std::int64_t time_ms = TailTime(i - 1);
    if (time_ms > range.to_ms) continue;
    out = {time_ms, tail_values()[i - 1]};
    return time_ms >= range.from_ms;
  }
  return false;
}

std::int64_t Series::sample_count() const {
  std::int64_t samples = open_count_ + tail_count_;
  for (const SealedChunk& chunk : chunks_) samples += chunk.samples;
  return samples;
}

std::int64_t Series::chunk_bytes() const {
  auto bytes = static_cast<std::int64_t>(TailBytes(tail_room_) + open_size_);
  for (const SealedChunk& chunk : chunks_) bytes += chunk.size;
  return bytes;
}

std::int64_t Series::MemoryBytes() const {
  return static_cast<std::int64_t>(sizeof(Series) + chunks_.capacity() * sizeof(SealedChunk) +
                                   labels_.MemoryBytes()) +
         chunk_bytes();
}

}  // namespace tocsin::store
