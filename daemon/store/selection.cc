#include "daemon/store/selection.h"

#include <algorithm>

#include "daemon/base/check.h"

namespace tocsin::store {

const model::Labels& StoreSelection::labels(std::size_t series) const {
  if (series < selected_.series.size()) return selected_.series[series]->labels();
  return archived_[series - selected_.series.size()].labels;
}

Result<> StoreSelection::Read(std::size_t series, model::TimeRange range,
                              model::SampleColumns& out) const {
  TOCSIN_CHECK(series < size());
  if (series >= selected_.series.size()) {
    const ArchivedSeries& archived = archived_[series - selected_.series.size()].series;
    range.to_ms = std::min(range.to_ms, archived.last_ms);
    if (range.from_ms > range.to_ms) return {};
    return history_->ReadSamples(archived.history_id, range, out);
  }
  const Series& in_head = *selected_.series[series];
  range.to_ms = std::min(range.to_ms, selected_.until_ms[series]);
  // Chunks may leave memory while history is read; then history has them too.
  while (range.from_ms <= range.to_ms) {
    const auto memory_from_ms = head_.Read(in_head, FetchAhead(series), range, out);
    if (!memory_from_ms.has_value()) return {};
    const std::int64_t until_ms = std::min(range.to_ms, *memory_from_ms - 1);
    TOCSIN_RETURN_IF_ERROR(
        history_->ReadSamples(in_head.history_id(), {range.from_ms, until_ms}, out));
    if (until_ms == range.to_ms) return {};
    range.from_ms = until_ms + 1;
  }
  return {};
}

Result<bool> StoreSelection::ReadLast(std::size_t series, model::TimeRange range,
                                      model::Sample& out) const {
  if (series < selected_.series.size()) {
    range.to_ms = std::min(range.to_ms, selected_.until_ms[series]);
    FetchAhead(series);
    if (head_.ReadLastOfTail(*selected_.series[series], range, out)) return true;
  }
  return Selection::ReadLast(series, range, out);
}

}  // namespace tocsin::store
