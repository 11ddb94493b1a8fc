#pragma once

// From a collection's rows to series of the store, for one target. A row that was
// there last time is found by the bytes of its name and labels, without building
// Labels again; a batch that repeats the rows of the one before needs not even that. A
// series that is not there any more is reported once, so that it gets its staleness
// marker. Not thread-safe.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"
#include "daemon/model/sample_sink.h"

namespace tocsin::poll {

class SeriesCache {
 public:
  // `target_labels` are put on every series; a row's own label of such a name is
  // kept as exported_NAME, or wins if `honor_labels`.
  SeriesCache(model::SampleSink& sink, model::Labels target_labels, bool honor_labels);

  // Begins a collection: nothing has been seen in it yet.
  void Begin();

  // If `batch` repeats the rows of the collection before (MetricBatch::Repeat), as that
  // one did too, and each of them was a series of its own: their series in the order of
  // the rows, which then count as seen. Else empty: Find() each row, in order.
  std::span<const model::SeriesRef> FindAgain(const model::MetricBatch& batch);

  enum class Seen { kFirst, kAgain };
  struct Found {
    const model::SeriesRef* series = nullptr;  // Valid until Forget or Clear.
    Seen seen = Seen::kFirst;
    bool is_new = false;
  };

  // The series of a row. `tracked`: its absence from a later collection ends it.
  // Errors: those of SampleSink::Resolve.
  Result<Found> Find(const model::MetricBatch& batch, const model::MetricBatch::Row& row,
                     bool tracked);
  // The series `name` with the target's labels ("up") and perhaps one more, which a target's
  // of that name turns into exported_NAME.
  Result<Found> Find(std::string_view name, model::LabelView label = {});

  // The tracked series not found since Begin(), which are then forgotten; the
  // refs live until the next call of it.
  const std::vector<model::SeriesRef>& TakeVanished();

  // Drops all refs: the store has let them expire.
  void Clear();

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    model::SeriesRef series;
    std::uint64_t generation = 0;
    bool tracked = true;
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };

  template <class MakeLabels>
  Result<Found> FindKey(bool tracked, MakeLabels make_labels);

  model::SampleSink& sink_;
  model::Labels target_labels_;
  bool honor_labels_;
  std::uint64_t generation_ = 0;
  std::size_t seen_ = 0;  // Series of this generation.
  std::string key_;       // Reused between calls.
  std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>> entries_;
  std::vector<model::SeriesRef> vanished_;

  // What the last collection that was not FindAgain saw, in the order of its rows, if it
  // repeated others: targets that never do so pay nothing for it.
  std::vector<model::SeriesRef> in_order_;
  bool keeps_order_ = false;
  std::weak_ptr<const model::MetricBatch::Shape> shape_;
  bool one_each_ = false;  // No row was refused or stood for a series seen before it.
};

}  // namespace tocsin::poll
