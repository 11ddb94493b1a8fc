#pragma once

// What a query holds: the series it matched, each with the last time that was
// visible then. Reading joins history and memory, wherever the samples are by now.

#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/model/querier.h"
#include "daemon/store/head.h"
#include "daemon/store/history.h"

namespace tocsin::store {

// A series of a selection that only history holds.
struct ArchivedMatch {
  model::Labels labels;
  ArchivedSeries series;
};

class StoreSelection : public model::Selection {
 public:
  // `history` is null for a store without a disk. Both must outlive the selection.
  StoreSelection(const Head& head, const History* history, Head::Selected selected,
                 std::vector<ArchivedMatch> archived)
      : head_(head),
        history_(history),
        selected_(std::move(selected)),
        archived_(std::move(archived)) {}

  std::size_t size() const override { return selected_.series.size() + archived_.size(); }
  const model::Labels& labels(std::size_t series) const override;
  Result<> Read(std::size_t series, model::TimeRange range,
                model::SampleColumns& out) const override;
  Result<bool> ReadLast(std::size_t series, model::TimeRange range,
                        model::Sample& out) const override;

 private:
  // What is to be drawn into the cache while `series` is read: of those that follow first
  // the series, then its body, then its open chunk and the list of its full ones.
  Head::Ahead FetchAhead(std::size_t series) const {
    constexpr std::size_t kSoon = 4;
    constexpr std::size_t kLater = 8;
    constexpr std::size_t kFar = 12;
    const auto at = [this](std::size_t index) {
      return index < selected_.series.size() ? selected_.series[index] : nullptr;
    };
    if (const Series* far = at(series + kFar)) far->Fetch();
    return {at(series + kSoon), at(series + kLater)};
  }

  const Head& head_;
  const History* history_;
  const Head::Selected selected_;
  const std::vector<ArchivedMatch> archived_;
};

}  // namespace tocsin::store
