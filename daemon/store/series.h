#pragma once

// One series in the head: its labels, its full chunks (until they are saved and
// old), the open chunk, and the newest samples as they came.
//
// Locking is Head's (head.h): a series is changed under Head's mutex and the
// series' stripe together, so that reading under either is safe.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample.h"

namespace tocsin::store {

inline constexpr std::uint64_t kNoSequence = std::numeric_limits<std::uint64_t>::max();

// A chunk that takes no more samples.
struct SealedChunk {
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::int64_t sealed_at_ms = 0;     // Wall time, for retention.
  std::uint64_t first_sequence = 0;  // Of the journal: the commit of its first sample.
  std::unique_ptr<char[]> data;
  std::uint32_t size = 0;
  std::uint16_t samples = 0;
  bool saved = false;  // History holds it.

  std::string_view bytes() const { return {data.get(), size}; }
};

enum class AppendVerdict {
  kStored,
  kSame,       // The last sample again, bit for bit.
  kDuplicate,  // The last sample's time with another value.
  kOutOfOrder,
};

class Series {
 public:
  // The newest samples wait here; encoding a whole run at once is much cheaper
  // than extending an encoding sample by sample. Room for them is made in steps: of a
  // hundred thousand series it is much of the memory.
  static constexpr std::size_t kTailSamples = 16;
  static constexpr std::size_t kTailStep = 4;

  // `history_id` names the series in history.db, `ref_id` to writers.
  Series(model::Labels labels, std::uint64_t ref_id, std::uint64_t history_id, std::int64_t now_ms)
      : labels_(std::move(labels)),
        ref_id_(ref_id),
        tail_limit_(static_cast<std::uint8_t>(history_id % kTailSamples + 1)),
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
    while (count < chunks_.size() && drop(chunks_[count])) samples += chunks_[count++].samples;
    if (count == chunks_.size()) {
      std::vector<SealedChunk>().swap(chunks_);
    } else {
      chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return samples;
  }

  // Appends the samples in memory within `range` to `out`.
  void Read(model::TimeRange range, model::SampleColumns& out) const;
  // The last sample within `range`, if it is among the newest; else false: Read() knows.
  bool ReadLastOfTail(model::TimeRange range, model::Sample& out) const;

  // Hints that the series, or what an append or a read of its newest samples uses, is
  // wanted soon. The latter two read the series: under its lock.
  void Fetch() const {
    __builtin_prefetch(this);
    __builtin_prefetch(reinterpret_cast<const char*>(this) + sizeof(Series) / 2);
  }
  void FetchTail() const;
  void FetchSamples() const;

  bool ever_had_samples() const { return first_ms_ <= last_ms_; }
  std::int64_t first_ms() const { return first_ms_; }  // History's included.
  std::int64_t last_ms() const { return last_ms_; }
  // Of the first sample in memory; the greatest int64 without one.
  std::int64_t memory_from_ms() const;
  bool has_history() const { return has_history_; }
  const std::vector<SealedChunk>& chunks() const { return chunks_; }
  bool has_open_chunk() const { return open_count_ + tail_count_ > 0; }
  // Whether it holds every sample at or after `from_ms`.
  bool OpenChunkCovers(std::int64_t from_ms) const {
    return has_open_chunk() && open_first_ms_ <= from_ms;
  }
  std::int64_t open_since_ms() const { return open_since_ms_; }  // Wall time of arrival.
  std::int64_t touched_at_ms() const { return touched_at_ms_; }  // Last append or Resolve.
  void Touch(std::int64_t now_ms) { touched_at_ms_ = now_ms; }
  // The oldest commit that the journal must keep for this series; kNoSequence: none.
  std::uint64_t first_unsaved_sequence() const;

  bool registered() const { return registered_; }  // history.db has, or will get, its row.
  void set_registered(bool registered) { registered_ = registered; }

  std::int64_t sample_count() const;
  std::int64_t chunk_bytes() const;  // Sealed, open and tail.
  std::int64_t MemoryBytes() const;

 private:
  void CompressTail(std::int64_t now_ms, bool seal);
  void StartOpenChunk(std::string_view encoded);
  void GrowTail();
  // The newest samples, as they came: room for tail_room_ values, then for as many
  // times, told since open_first_ms_.
  double* tail_values() { return reinterpret_cast<double*>(open_.get()); }
  const double* tail_values() const { return reinterpret_cast<const double*>(open_.get()); }
  std::uint32_t* tail_offsets_ms() {
    return reinterpret_cast<std::uint32_t*>(open_.get() + tail_room_ * sizeof(double));
  }
  const std::uint32_t* tail_offsets_ms() const {
    return reinterpret_cast<const std::uint32_t*>(open_.get() + tail_room_ * sizeof(double));
  }
  static constexpr std::size_t TailBytes(std::size_t room) {
    return room * (sizeof(double) + sizeof(std::uint32_t));
  }
  std::int64_t TailTime(std::size_t index) const {
    return open_first_ms_ + std::int64_t{tail_offsets_ms()[index]};
  }
  void ReadTail(model::TimeRange range, model::SampleColumns& out) const;
  std::string_view open_bytes() const { return {open_.get() + TailBytes(tail_room_), open_size_}; }

  // What a selection and a read of the newest samples need comes first.
  std::int64_t last_ms_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t first_ms_ = std::numeric_limits<std::int64_t>::max();
  model::Labels labels_;
  std::uint64_t ref_id_;
  std::int64_t open_first_ms_ = 0;
  std::unique_ptr<char[]> open_;  // The tail, then the open chunk's encoded bytes.
  std::uint32_t open_size_ = 0;   // Of the encoded bytes.
  std::uint8_t open_count_ = 0;   // Samples in them.
  std::uint8_t tail_count_ = 0;
  // The first tail is shorter, by the series, so that the series of one target do
  // not all compress in the same commit.
  std::uint8_t tail_limit_;
  std::uint8_t tail_room_ : 5 = 0;
  bool has_history_ : 1 = false;
  bool has_last_value_ : 1 = false;
  bool registered_ : 1 = false;
  double last_value_ = 0;
  std::vector<SealedChunk> chunks_;
  std::uint64_t history_id_;
  std::uint64_t open_first_sequence_ = 0;
  std::int64_t open_since_ms_ = 0;
  std::int64_t touched_at_ms_;
};

}  // namespace tocsin::store
