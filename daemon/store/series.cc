#include "daemon/store/series.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>

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
  last_value_ = *last_value;
  tail_count_ = 1;
  tail_encoded_ = 1;
}

AppendVerdict Series::Append(std::int64_t time_ms, double value, std::uint64_t sequence,
                             std::int64_t now_ms) {
  if (ever_had_samples() && time_ms <= last_ms_) {
    if (time_ms < last_ms_) return AppendVerdict::kOutOfOrder;
    // The last value is unknown if history could not be read.
    if (tail_count_ == 0) return AppendVerdict::kOutOfOrder;
    return SameBits(value, last_value_) ? AppendVerdict::kSame : AppendVerdict::kDuplicate;
  }
  const auto step_ms = static_cast<std::uint64_t>(time_ms) - static_cast<std::uint64_t>(last_ms_);
  const bool far = step_ms > std::numeric_limits<std::uint16_t>::max();
  if (ContinuesRun(step_ms, value)) {
    ++repeats_;
    repeat_step_ms_ = step_ms;
  } else {
    if (TailIsFull() || (far && tail_count_ > tail_encoded_)) MakeRoom(now_ms);
    if (has_open_chunk()) {
      if (body_ == nullptr) ResizeBody(0);
      body_->tail_values[tail_count_ - 1u] = last_value_;
      body_->tail_steps_ms[tail_count_ - 1u] = far ? 0 : static_cast<std::uint16_t>(step_ms);
    } else {
      BeginChunk(time_ms, sequence, now_ms);
    }
    ++tail_count_;
  }
  last_value_ = value;
  first_ms_ = std::min(first_ms_, time_ms);
  last_ms_ = time_ms;
  touched_at_ms_ = now_ms;
  return AppendVerdict::kStored;
}

void Series::BeginChunk(std::int64_t time_ms, std::uint64_t sequence, std::int64_t now_ms) {
  tail_count_ = 0;  // The encoded one that may be there is of the chunk before.
  tail_encoded_ = 0;
  open_first_sequence_ = sequence;
  if (body_ == nullptr) return;
  body_->open_first_ms = time_ms;
  body_->open_since_ms = now_ms;
}

bool Series::ContinuesRun(std::uint64_t step_ms, double value) const {
  const bool is_run = open_count_ == 0 && tail_count_ == 1 && tail_encoded_ == 0;
  return is_run && step_ms <= std::numeric_limits<std::uint16_t>::max() &&
         (repeats_ == 0 || step_ms == repeat_step_ms_) && SameBits(value, last_value_) &&
         !ChunkIsFull();
}

bool Series::ChunkIsFull() const {
  const std::size_t limit = kMaxChunkSamples - history_id_ % kSealSpread;
  return open_count_ + repeats_ + tail_count_ + kTailSamples > limit;
}

bool Series::TailIsFull() const {
  if (tail_count_ == kTailSamples) return true;
  // The first tail is shorter, by the series, so that the series of one target do not
  // all compress in the same commit.
  return tail_encoded_ == 0 && tail_count_ == 1 + history_id_ % (kTailSamples - 1);
}

// Leaves at most one sample, an encoded one, in the tail.
void Series::MakeRoom(std::int64_t now_ms) {
  if (ChunkIsFull()) return Seal(now_ms);
  CompressTail();
}

void Series::GatherTail(Columns& columns) const {
  for (std::int64_t before = repeats_; before > 0; --before) {
    columns.times_ms[columns.count] = TailTime(0) - before * repeat_step_ms_;
    columns.values[columns.count++] = TailValue(0);
  }
  for (std::size_t i = tail_encoded_; i < tail_count_; ++i) {
    columns.times_ms[columns.count] = TailTime(i);
    columns.values[columns.count++] = TailValue(i);
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

// All of the run or the tail is encoded now: only the last sample stays.
void Series::ForgetTail() {
  repeats_ = 0;
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
    const bool is_far = body_->tail_steps_ms[0] == 0;
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

void Series::FreeBody::operator()(Body* body) const noexcept {
  body->~Body();
  ::operator delete(body);
}

// Leaves room for so many bytes of an open chunk; those that were there are lost.
void Series::ResizeBody(std::size_t open_size) {
  const std::size_t room = RoomFor(sizeof(Body) + open_size);
  if (body_ != nullptr && RoomFor(sizeof(Body) + body_->open_size) == room) {
    body_->open_size = open_size;
    return;
  }
  void* const block = ::operator new(room);
  Body* body = nullptr;
  if (body_ != nullptr) {
    body = new (block) Body(std::move(*body_));
  } else {
    body = new (block) Body;
    body->open_first_ms = open_first_ms();
    body->open_since_ms = open_since_ms();
  }
  body->open_size = open_size;
  body_.reset(body);
}

void Series::StoreOpenChunk(const std::string& encoded) {
  ResizeBody(encoded.size());
  std::memcpy(body_->bytes(), encoded.data(), encoded.size());
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
  ResizeBody(0);
  body_->chunks.Add(std::move(chunk));
  open_count_ = 0;
  ForgetTail();
  touched_at_ms_ = now_ms;  // Whoever asked for it while it was open may use it as long as ever.
}

void Series::MarkSaved(std::int64_t last_ms) {
  if (body_ == nullptr) return;
  for (SealedChunk& chunk : body_->chunks) {
    if (chunk.last_ms > last_ms) break;
    chunk.saved = 1;
    has_history_ = 1;
  }
}

void Series::ForgetHistory() {
  if (body_ != nullptr) {
    for (SealedChunk& chunk : body_->chunks) chunk.saved = 0;
  }
  has_history_ = 0;
  registered_ = 0;
  first_ms_ = memory_from_ms();
}

void Series::FetchForAppend() const {
  constexpr std::size_t kUsualChunkBytes = 96;
  if (body_ == nullptr) return;
  const auto* bytes = reinterpret_cast<const char*>(body_.get());
  FetchLines({bytes, sizeof(Body) + (TailIsFull() ? kUsualChunkBytes : 0)});
}

void Series::FetchSamples(std::int64_t from_ms) const {
  labels_.Fetch();
  FetchLines(open_bytes());
  if (!OpenChunkCovers(from_ms)) chunks().Fetch();
}

std::int64_t Series::memory_from_ms() const {
  if (!chunks().empty()) return chunks().front().first_ms();
  if (has_open_chunk()) return open_first_ms();
  return std::numeric_limits<std::int64_t>::max();
}

std::uint64_t Series::first_unsaved_sequence() const {
  for (const SealedChunk& chunk : chunks()) {
    if (!chunk.saved) return chunk.first_sequence;
  }
  return has_open_chunk() ? open_first_sequence_ : kNoSequence;
}

void Series::Read(model::TimeRange range, model::SampleColumns& out) const {
  if (!OpenChunkCovers(range.from_ms)) {
    const SealedChunk* chunk = std::partition_point(
        chunks().begin(), chunks().end(),
        [&](const SealedChunk& sealed) { return sealed.last_ms < range.from_ms; });
    for (; chunk != chunks().end() && chunk->first_ms() <= range.to_ms; ++chunk) {
      TOCSIN_CHECK(ReadChunk(chunk->bytes(), range, out));
    }
  }
  if (!has_open_chunk() || open_first_ms() > range.to_ms) return;
  const bool tail_suffices =
      tail_count_ > tail_encoded_ && TailTime(tail_encoded_) <= range.from_ms;
  if (open_count_ > 0 && !tail_suffices) TOCSIN_CHECK(ReadChunk(open_bytes(), range, out));
  ReadTail(range, out);
}

// Requires: no step behind it that is too large to say.
std::int64_t Series::TailTime(std::size_t index) const {
  std::int64_t time_ms = last_ms_;
  for (std::size_t i = tail_count_ - 1u; i > index; --i) time_ms -= body_->tail_steps_ms[i - 1];
  return time_ms;
}

double Series::TailValue(std::size_t index) const {
  return index + 1 == tail_count_ ? last_value_ : body_->tail_values[index];
}

void Series::ReadTail(model::TimeRange range, model::SampleColumns& out) const {
  if (tail_count_ == tail_encoded_) return;
  std::int64_t time_ms = TailTime(tail_encoded_);
  for (std::int64_t before = repeats_; before > 0; --before) {
    const std::int64_t of_run_ms = time_ms - before * repeat_step_ms_;
    if (of_run_ms >= range.from_ms && of_run_ms <= range.to_ms) out.Add(of_run_ms, TailValue(0));
  }
  for (std::size_t i = tail_encoded_; i < tail_count_ && time_ms <= range.to_ms; ++i) {
    if (time_ms >= range.from_ms) out.Add(time_ms, TailValue(i));
    if (i + 1 < tail_count_) time_ms += body_->tail_steps_ms[i];
  }
}

bool Series::ReadLastOfTail(model::TimeRange range, model::Sample& out) const {
  if (has_open_chunk() && last_ms_ <= range.to_ms) {
    out = {last_ms_, last_value_};
    return last_ms_ >= range.from_ms;
  }
  // The encoded one is of a chunk, which may be dropped, unless it is of the open one.
  const bool whole = open_count_ > 0 && (tail_count_ == 1 || body_->tail_steps_ms[0] != 0);
  const std::size_t first = whole ? 0 : tail_encoded_;
  std::int64_t time_ms = last_ms_;
  for (std::size_t i = tail_count_; i > first; --i) {
    if (time_ms <= range.to_ms) {
      out = {time_ms, TailValue(i - 1)};
      return time_ms >= range.from_ms;
    }
    if (i > first + 1) time_ms -= body_->tail_steps_ms[i - 2];
  }
  for (std::int64_t before = 1; before <= static_cast<std::int64_t>(repeats_); ++before) {
    out = {time_ms - before * repeat_step_ms_, TailValue(0)};
    if (out.time_ms <= range.to_ms) return out.time_ms >= range.from_ms;
  }
  return false;
}

std::int64_t Series::sample_count() const {
  std::int64_t samples = open_count_ + repeats_ + tail_count_ - tail_encoded_;
  for (const SealedChunk& chunk : chunks()) samples += chunk.samples;
  return samples;
}

std::int64_t Series::chunk_bytes() const {
  constexpr std::size_t kTailSampleBytes = sizeof(double) + sizeof(std::uint16_t);
  auto bytes = static_cast<std::int64_t>(open_bytes().size() +
                                         (tail_count_ - tail_encoded_) * kTailSampleBytes);
  for (const SealedChunk& chunk : chunks()) bytes += chunk.size;
  return bytes;
}

std::int64_t Series::MemoryBytes() const {
  auto bytes = static_cast<std::int64_t>(sizeof(Series) + labels_.MemoryBytes());
  if (body_ == nullptr) return bytes;
  bytes += static_cast<std::int64_t>(RoomFor(sizeof(Body) + body_->open_size) +
                                     body_->chunks.MemoryBytes());
  for (const SealedChunk& chunk : body_->chunks) bytes += chunk.size;
  return bytes;
}

}  // namespace tocsin::store
