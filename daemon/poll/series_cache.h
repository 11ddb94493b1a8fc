#pragma once

// From a collection's rows to series of the store, for one target. A row is compared with
// the one that stood in its place in the collection before, whose series it mostly has; one
// that stood elsewhere is looked up, and only a new one costs Labels and the store's help.
// A batch that repeats the rows of the one before needs not even the comparison. A series
// that is not there any more is reported once, so that it gets its staleness marker.
// Not thread-safe.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/place_table.h"
#include "daemon/base/result.h"
#include "daemon/model/label_pool.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"
#include "daemon/model/sample_sink.h"

namespace tocsin::poll {

class SeriesCache {
 public:
  // `target_labels` are put on every series; a row's own label of such a name is
  // kept as exported_NAME, or wins if `honor_labels`.
  SeriesCache(model::SampleSink& sink, model::Labels target_labels, bool honor_labels);

  // Begins a collection of these rows; null: of none, it failed. Nothing is added to the
  // batch any more; what stands in it is read until the next collection is over.
  void Begin(const model::MetricBatch* batch);

  // If the batch repeats the rows of the collection before (MetricBatch::Repeat), and each of
  // them was a tracked series of its own: their series in the order of the rows, which then
  // count as seen. Else empty: Find() each row, in order. Requires: Begin() with a batch.
  std::span<const model::SeriesRef> FindAgain();

  enum class Seen { kFirst, kAgain };
  struct Found {
    const model::SeriesRef* series = nullptr;  // Valid until the next Begin or Clear.
    Seen seen = Seen::kFirst;
    bool is_new = false;  // The row was not there in the collection before.
  };

  // The series of a row. `tracked`: its absence from a later collection ends it; of several
  // rows of one series the first decides. Errors: those of SampleSink::Resolve.
  // Requires: Begin() with a batch.
  Result<Found> Find(std::size_t row, bool tracked);
  // The series `name` with the target's labels ("up") and perhaps one more, which a target's
  // of that name turns into exported_NAME. To be asked after the rows: kAgain, and a null
  // series, if one of them is that series.
  Result<Found> FindOwn(std::string_view name, model::LabelView label = {});

  // The tracked series not found since Begin(), which are then forgotten; the
  // refs live until the next call of it.
  const std::vector<model::SeriesRef>& TakeVanished();

  // Drops all refs: the store has let them expire.
  void Clear();

 private:
  // What a collection's rows are series of; a row that was refused, or of a series that an
  // earlier row has, is not among them.
  struct Collected {
    std::shared_ptr<const model::MetricBatch::Shape> shape;
    std::vector<model::SeriesRef> series;
    // Of each series; empty: the first series is the first row's, and so on.
    std::vector<std::uint32_t> rows;
    std::vector<bool> tracked;
    bool has_untracked = false;

    void AddRow(std::uint32_t row);  // Of the series that is added next.
    std::uint32_t RowOf(std::uint32_t index) const { return rows.empty() ? index : rows[index]; }
  };
  struct Own {
    model::SeriesRef series;
    std::uint64_t generation = 0;
  };

  // Whether the row stood at this place of before_, and no row has taken it yet.
  bool IsFreePlaceOf(std::uint32_t index, std::size_t row) const;
  void IndexPlaces();
  std::optional<std::uint32_t> LookUp(std::size_t row) const;
  const model::SeriesRef* Take(std::uint32_t index, std::size_t row, bool tracked);
  const model::SeriesRef* Keep(model::SeriesRef series, std::size_t row, bool tracked);
  bool HasRow(std::string_view name, model::LabelView label) const;
  bool IsOwnNow(const model::SeriesRef& series) const;

  model::SampleSink& sink_;
  const model::Labels target_labels_;
  const bool honor_labels_;

  const model::MetricBatch* batch_ = nullptr;
  Collected before_;
  Collected now_;
  std::uint32_t next_ = 0;  // The place in before_ that the next row is likely to have.
  std::vector<std::uint32_t> taken_to_;  // Where in now_ each one of before_ is found again.
  // Only once a row was not in its likely place: where each row of before_ stands, and behind
  // those each new row of now_, by its hash.
  bool is_indexed_ = false;
  PlaceTable places_;
  model::LabelPool pool_;  // For this collection's new series.

  std::uint64_t generation_ = 0;
  std::unordered_map<std::string, Own> own_;  // By name and label.
  std::vector<model::SeriesRef> vanished_;
};

}  // namespace tocsin::poll
