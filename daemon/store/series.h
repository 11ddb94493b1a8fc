#pragma once

// One series in the head: its labels, its full chunks (until they are saved and
// old), the open chunk, and the newest samples as they came.
//
// An open chunk begins as a run: samples of one value at equal steps, of which the last
// one is kept and a count, as most series of a database at rest never change. The first
// other sample ends the run; from then on samples wait in a tail until a few are encoded
// together, with the run if there still is one. Tail, encoded bytes and full chunks lie in
// a body apart from the series.
//
// Locking is Head's (head.h): a series is changed under Head's mutex and the
// series' stripe together, so that reading under either is safe.

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample.h"
#include "daemon/store/sealed_chunks.h"

namespace tocsin::store {

inline constexpr std::uint64_t kNoSequence = std::numeric_limits<std::uint64_t>::max();

enum class AppendVerdict {
  kStored,
  kSame,       // The last sample again, bit for bit.
  kDuplicate,  // The last sample's time with another value.
  kOutOfOrder,
};

class Series {
 public:
  // The newest samples wait here and are encoded together. The last encoded one stays, so
  // that what comes behind it can be encoded without decoding.
  static constexpr std::size_t kTailSamples = 5;

  // `history_id` names the series in history.db, `ref_id` to writers.
  Series(model::Labels labels, std::uint64_t ref_id, std::uint64_t history_id, std::int64_t now_ms)
      : labels_(std::move(labels)),
        ref_id_(ref_id),
        history_id_(history_id),
        touched_at_ms_(now_ms) {}

  const model::Labels& labels() const { return labels_; }
  std::uint64_t ref_id() const { return ref_id_; }
  std::uint64_t history_id() const { return history_id_; }

  // Takes the times that history holds already: older samples are out of order.
  void ContinueHistory(std::int64_t first_ms, std::int64_t last_ms,
                       std::optional<double> last_value);

  // Stores the sample or says why not. `sequence` is the commit's, `now_ms` the
  // wall time of its arrival. May seal a chunk.
  AppendVerdict Append(std::int64_t time_ms, double value, std::uint64_t sequence,
                       std::int64_t now_ms);

  // Seals the open chunk, if there is one.
  void Seal(std::int64_t now_ms);

  // Marks the first unsaved chunks as saved, as far as `last_ms`.
  void MarkSaved(std::int64_t last_ms);
  // Nothing of it is in history any more.
  void ForgetHistory();

  // Drops chunks from the front while `drop` says so; returns how many samples went.
  template <class Drop>
  std::int64_t DropChunks(Drop drop) {
    std::int64_t samples = 0;
    std::size_t count = 0;
    for (const SealedChunk& chunk : chunks()) {
      if (!drop(chunk)) break;
      samples += chunk.samples;
      ++count;
    }
    if (count > 0) body_->chunks.DropFront(count);
    return samples;
  }

  // Appends the samples in memory within `range` to `out`.
  void Read(model::TimeRange range, model::SampleColumns& out) const;
  // The last sample within `range`, if it is among the newest; else false: Read() knows.
  bool ReadLastOfTail(model::TimeRange range, model::Sample& out) const;

  // Hints that the series, or what an append to it or a read of its samples uses, is
  // wanted soon. All but the first read the series: under its lock.
  void Fetch() const {
    constexpr std::size_t kLineBytes = 64;
    for (std::size_t at = 0; at < sizeof(Series); at += kLineBytes) {
      __builtin_prefetch(reinterpret_cast<const char*>(this) + at);
    }
  }
  void FetchForAppend() const;
  void FetchBody() const { __builtin_prefetch(body_.get()); }
  void FetchSamples(std::int64_t from_ms) const;  // After FetchBody(), it does not wait.

  bool ever_had_samples() const { return first_ms_ <= last_ms_; }
  std::int64_t first_ms() const { return first_ms_; }  // History's included.
  std::int64_t last_ms() const { return last_ms_; }
  // Of the first sample in memory; the greatest int64 without one.
  std::int64_t memory_from_ms() const;
  bool has_history() const { return has_history_ != 0; }
  const SealedChunks& chunks() const { return body_ != nullptr ? body_->chunks : kNoChunks; }
  bool has_open_chunk() const { return open_count_ > 0 || tail_count_ > tail_encoded_; }
  // Whether it holds every sample at or after `from_ms`.
  bool OpenChunkCovers(std::int64_t from_ms) const {
    return has_open_chunk() && open_first_ms() <= from_ms;
  }
  // The same, unless it says no of times that lie in its first chunk.
  bool MemoryCovers(std::int64_t from_ms) const {
    return OpenChunkCovers(from_ms) || (!chunks().empty() && chunks().front().last_ms < from_ms);
  }
  // The wall time of the open chunk's first arrival; about so without a body.
  std::int64_t open_since_ms() const {
    return body_ != nullptr ? body_->open_since_ms : touched_at_ms_ - run_ms();
  }
  std::int64_t touched_at_ms() const { return touched_at_ms_; }  // Last append or Resolve.
  void Touch(std::int64_t now_ms) { touched_at_ms_ = now_ms; }
  // The oldest commit that the journal must keep for this series; kNoSequence: none.
  std::uint64_t first_unsaved_sequence() const;

  bool registered() const { return registered_ != 0; }  // history.db has, or will get, its row.
  void set_registered(bool registered) { registered_ = registered; }

  std::int64_t sample_count() const;
  std::int64_t chunk_bytes() const;  // Sealed, open and tail.
  std::int64_t MemoryBytes() const;

 private:
  struct Columns;  // Samples on their way into a chunk.

  // Behind it are the open chunk's bytes, in the same block.
  struct Body {
    SealedChunks chunks;
    std::int64_t open_first_ms = 0;
    std::int64_t open_since_ms : 48 = 0;
    std::uint64_t open_size : 16 = 0;  // Of the open chunk's bytes; there may be room for more.
    // The tail without its last sample. The first one is encoded already if tail_encoded_:
    // in the open chunk or, if there is none, in the one before it or in history.
    std::array<double, kTailSamples - 1> tail_values{};
    // From each sample to the next; 0: more than this can say, only behind an encoded one.
    std::array<std::uint16_t, kTailSamples - 1> tail_steps_ms{};

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  };
  struct FreeBody {
    void operator()(Body* body) const noexcept;
  };
  inline static const SealedChunks kNoChunks;

  void BeginChunk(std::int64_t time_ms, std::uint64_t sequence, std::int64_t now_ms);
  bool ChunkIsFull() const;
  bool TailIsFull() const;
  void MakeRoom(std::int64_t now_ms);
  void CompressTail();
  void GatherOpenChunk(Columns& columns) const;
  void GatherTail(Columns& columns) const;
  void ForgetTail();
  void ResizeBody(std::size_t open_size);
  void StoreOpenChunk(const std::string& encoded);
  bool ContinuesRun(std::uint64_t step_ms, double value) const;
  std::int64_t run_ms() const { return static_cast<std::int64_t>(repeats_) * repeat_step_ms_; }
  std::int64_t TailTime(std::size_t index) const;
  double TailValue(std::size_t index) const;
  void ReadTail(model::TimeRange range, model::SampleColumns& out) const;
  std::int64_t open_first_ms() const {
    return body_ != nullptr ? body_->open_first_ms : last_ms_ - run_ms();
  }
  std::string_view open_bytes() const {
    if (body_ == nullptr) return {};
    return {body_->bytes(), body_->open_size};
  }

  std::int64_t last_ms_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t first_ms_ = std::numeric_limits<std::int64_t>::max();
  model::Labels labels_;
  std::uint64_t ref_id_;
  std::uint64_t history_id_ : 48;
  std::uint16_t repeat_step_ms_ = 0;  // No bit-field: the id is read without a lock.
  double last_value_ = 0;
  std::int64_t touched_at_ms_ : 48;
  std::uint64_t tail_count_ : 4 = 0;
  std::uint64_t tail_encoded_ : 1 = 0;
  std::uint64_t has_history_ : 1 = 0;
  std::uint64_t registered_ : 1 = 0;
  std::uint64_t repeats_ : 8 = 0;  // Samples of the run before its last one, the tail's first.
  std::uint64_t open_first_sequence_ : 55 = 0;
  std::uint64_t open_count_ : 8 = 0;      // Samples in the open chunk's bytes.
  std::unique_ptr<Body, FreeBody> body_;  // Null until it has more than a run.
};

}  // namespace tocsin::store
