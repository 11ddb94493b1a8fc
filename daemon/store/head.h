#pragma once

// The head: every series that was written lately, found by reference, by labels
// or by matchers, and the directory of those that history alone still holds.
// It knows no disk: what must be written is handed out (commits for the journal,
// chunks for history) and confirmed when it is.
//
// Thread-safe. Two locks: mutex_ orders commits and selections (a commit holds it
// throughout, so that its samples appear together), and each series belongs to a
// stripe whose mutex is held while its samples are changed or decoded. Whoever
// changes a series holds both; mutex_ comes first. Nothing here does I/O.
//
// Per-series times only grow, so a selection is a snapshot by remembering the
// last time of each of its series; it keeps series that are collected meanwhile
// alive through their Generation.

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/place_table.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "daemon/store/journal_row.h"
#include "daemon/store/label_index.h"
#include "daemon/store/series.h"

namespace tocsin::store {

// A series that history holds and the head does not.
struct ArchivedSeries {
  std::uint64_t history_id = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::optional<double> last_value;  // Only when the series comes back to the head.
};

// Series taken out of the head, kept while a selection that might read them lives.
struct Generation {
  std::vector<std::unique_ptr<Series>> retired;
  std::shared_ptr<Generation> next;
};

class Head {
 public:
  struct Limits {
    std::int64_t max_series = 0;
    std::int64_t max_series_per_target = 0;
  };
  enum class Refusal { kNone, kAll, kTarget };

  explicit Head(Limits limits);
  ~Head();

  // --- Series ---

  // The series of `labels`, if the head has it.
  std::optional<model::SeriesRef> Find(const model::Labels& labels, std::int64_t now_ms);

  // What the directory knows under this fingerprint; labels are history's to compare.
  std::vector<ArchivedSeries> Archived(std::uint64_t fingerprint) const;

  // Makes the series, or finds it. `archived`: its entry, if history has it.
  // `looked_at`: how many entries Archived() gave; if that changed since, returns
  // null with no refusal: look again.
  std::optional<model::SeriesRef> Create(const model::Labels& labels,
                                         const std::optional<ArchivedSeries>& archived,
                                         std::size_t looked_at, std::int64_t now_ms,
                                         Refusal& refusal);

  // Enters a series that the head does not hold in the directory.
  void Archive(std::uint64_t fingerprint, const ArchivedSeries& series);
  // Takes an entry of the directory away (history deleted its last chunk). Returns
  // false if the series is not in the directory, so that history must keep its row.
  bool Unarchive(std::uint64_t fingerprint, std::uint64_t history_id);

  // --- Samples ---

  struct Appended {
    model::CommitOutcome outcome;
    std::int64_t expired_refs = 0;
    JournalRow row;  // Without samples: nothing to write.
  };
  Appended Append(std::span<const model::SeriesSample> samples, std::int64_t now_ms);

  // Opening: first Restore() the series that the journal names, with what history
  // holds of each, then Replay() its rows (samples that history holds are passed
  // over), then FinishReplay() with the greatest ids in use.
  void Restore(const model::Labels& labels, const ArchivedSeries& series, bool has_chunks,
               std::int64_t now_ms);
  bool Holds(std::uint64_t history_id) const;  // Until FinishReplay.
  void Replay(std::uint64_t sequence, const std::vector<JournalSample>& samples,
              std::int64_t now_ms);
  void FinishReplay(std::uint64_t last_sequence, std::uint64_t last_history_id);

  // --- Selections ---

  struct Selected {
    std::vector<const Series*> series;
    std::vector<std::int64_t> until_ms;  // Each one's last time at the selection.
    std::shared_ptr<const Generation> keep;
    std::uint64_t directory_version = 0;  // Changes when a series enters or leaves the archive.
    bool may_reach_archive = false;       // Some archived series has samples at or after from_ms.
  };
  Selected Select(const std::vector<model::Matcher>& matchers, model::TimeRange range) const;
  std::uint64_t directory_version() const;

  // Series that will be read next; or null.
  struct Ahead {
    const Series* soon = nullptr;
    const Series* later = nullptr;
  };

  // Appends the series' samples in memory within `range`, unless history must be
  // read first: then returns the time before which, and appends nothing.
  std::optional<std::int64_t> Read(const Series& series, Ahead ahead, model::TimeRange range,
                                   model::SampleColumns& out) const;

  // As Series::ReadLastOfTail.
  bool ReadLastOfTail(const Series& series, model::TimeRange range, model::Sample& out) const;

  // Names, or values of a name, from the index alone. Unsorted.
  std::vector<std::string> LabelNames() const;
  std::vector<std::string> LabelValues(std::string_view name) const;

  // --- Upkeep, by the store's lane; all in slices that hold the lock briefly ---

  struct UpkeepResult {
    std::uint64_t journal_watermark = 0;  // Older rows are not needed any more.
    std::int64_t samples = 0;
    std::int64_t chunks = 0;
    std::int64_t unsaved_chunks = 0;
    std::int64_t unsaved_bytes = 0;
    std::int64_t chunk_bytes = 0;
    std::int64_t expired_chunks = 0;
    std::int64_t idle_series = 0;  // For CollectIdle.
  };
  struct UpkeepPlan {
    std::int64_t now_ms = 0;
    std::int64_t seal_opened_before_ms = 0;  // Open chunks that began to arrive before.
    std::int64_t idle_since_ms = 0;          // Or whose series was not touched since.
    std::int64_t drop_saved_before_ms = 0;   // Saved chunks sealed before: out of memory.
    std::int64_t expire_before_ms = 0;       // Chunks sealed before: away, saved or not.
  };
  UpkeepResult Upkeep(const UpkeepPlan& plan);

  // The numbers without doing anything, and those that only somebody who asks needs.
  struct Counted : UpkeepResult {
    std::int64_t memory_bytes = 0;
    std::int64_t min_ms = 0;  // Of the samples in memory.
    std::int64_t max_ms = 0;
  };
  Counted Count() const;

  struct UnsavedChunk {
    Slot slot = 0;
    std::uint64_t ref_id = 0;
    std::uint64_t history_id = 0;
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;
    std::int64_t sealed_at_ms = 0;
    int samples = 0;
    std::string bytes;
    std::optional<model::Labels> new_labels;  // Of a series that history.db does not know yet.
  };
  // Up to `limit` chunks from slot `from` on; sets `from` to where to go on, 0 at the end.
  std::vector<UnsavedChunk> UnsavedChunks(Slot& from, std::size_t limit) const;
  void ConfirmSaved(const std::vector<UnsavedChunk>& chunks);

  // Drops chunks in memory, oldest seal first, until `bytes` are freed: what a
  // store without a disk does at its size limit, and one whose disk refuses.
  struct Dropped {
    std::int64_t chunks = 0;
    std::int64_t samples = 0;
  };
  Dropped DropOldest(std::int64_t bytes, bool unsaved_only);

  struct Collected {
    model::Labels labels;
    ArchivedSeries series;
    bool has_history = false;
  };
  // Takes series out that are idle since `since_ms` and have nothing in memory;
  // those with history enter the directory. Returns those that history.db knows.
  std::vector<Collected> CollectIdle(std::int64_t since_ms, std::size_t limit);

  // History was lost: everything in memory is unsaved again and sealed, and the
  // directory is empty.
  void StartHistoryAnew(std::int64_t now_ms);
  std::int64_t series_count() const;
  std::int64_t archived_count() const;

  // Calls `use` with the index under the lock: for the status page.
  void InspectIndex(const std::function<void(const LabelIndex&)>& use) const;

 private:
  static constexpr std::size_t kStripes = 64;
  static constexpr std::size_t kSlotsPerStripe = 64;  // Neighbours are read together.
  static constexpr Slot kSlice = 2048;                // Slots per hold of the lock in upkeep.

  Mutex& StripeOf(Slot slot) const { return stripes_[slot / kSlotsPerStripe % kStripes]; }
  static Slot SlotOf(std::uint64_t ref_id) { return static_cast<Slot>(ref_id); }
  // What the cap per target counts by; empty for series of no target.
  static std::string TargetKey(const model::Labels& labels);
  Series* SeriesOf(std::uint64_t ref_id) REQUIRES_LOCK(mutex_);
  Series* SeriesOf(const model::Labels& labels) REQUIRES_LOCK(mutex_);
  void Touch(Series& series, std::int64_t now_ms) REQUIRES_LOCK(mutex_);
  void AppendAll(std::span<const model::SeriesSample> samples, std::int64_t now_ms,
                 Appended& result, JournalEncoder& journal);
  void FetchAhead(std::span<const model::SeriesSample> samples, std::size_t at) const
      REQUIRES_LOCK(mutex_);
  Series& Insert(const model::Labels& labels, std::uint64_t history_id, std::int64_t now_ms)
      REQUIRES_LOCK(mutex_);
  Slot slot_count() const;
  // Calls visit(slot, series) for all, in slices that hold the lock.
  template <class Visit>
  void VisitAll(Visit visit) const;
  static bool IsIdle(const Series& series, std::int64_t since_ms);
  static void CountSeries(const Series& series, UpkeepResult& result);

  const Limits limits_;
  mutable std::array<Mutex, kStripes> stripes_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Series>> slots_ GUARDED_BY(mutex_);
  std::vector<Slot> free_slots_ GUARDED_BY(mutex_);
  PlaceTable by_labels_ GUARDED_BY(mutex_);  // Of slots_.
  std::unordered_map<std::string, std::int64_t> per_target_ GUARDED_BY(mutex_);
  LabelIndex index_ GUARDED_BY(mutex_);
  std::unordered_multimap<std::uint64_t, ArchivedSeries> archive_ GUARDED_BY(mutex_);
  std::int64_t archive_last_ms_ GUARDED_BY(mutex_) = std::numeric_limits<std::int64_t>::min();
  std::uint64_t directory_version_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Generation> generation_ GUARDED_BY(mutex_);
  std::uint64_t next_history_id_ GUARDED_BY(mutex_) = 1;
  std::uint64_t next_sequence_ GUARDED_BY(mutex_) = 1;
  std::uint64_t next_serial_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<std::uint64_t, Slot> replaying_ GUARDED_BY(mutex_);  // By history id.
};

}  // namespace tocsin::store
