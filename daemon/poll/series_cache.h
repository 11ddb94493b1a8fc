#pragma once

// From a collection's rows to series of the store, for one target. A row that was
// there last time is found by the bytes of its name and labels, without building
// Labels again; a series that is not there any more is reported once, so that it
// gets its staleness marker. Not thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
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
  // The series `name` with the target's labels alone ("up").
  Result<Found> Find(std::string_view name);

  // The tracked series not found since Begin(), which are then forgotten; the
  // refs live until the next call of it.
  const std::vector<std::unique_ptr<model::SeriesRef>>& TakeVanished();

  // Drops all refs: the store has let them expire.
  void Clear() { entries_.clear(); }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::unique_ptr<model::SeriesRef> series;
    std::uint64_t generation = 0;
    bool tracked = true;
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };

  Result<Found> FindKey(bool tracked, const std::function<model::Labels()>& labels);
  model::Labels LabelsOf(const model::MetricBatch& batch, const model::MetricBatch::Row& row) const;

  model::SampleSink& sink_;
  model::Labels target_labels_;
  bool honor_labels_;
  std::uint64_t generation_ = 0;
  std::string key_;  // Reused between calls.
  std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>> entries_;
  std::vector<std::unique_ptr<model::SeriesRef>> vanished_;
};

}  // namespace tocsin::poll
