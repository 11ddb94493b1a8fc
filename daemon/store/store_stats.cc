// The numbers of the status page.

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/store/selection.h"
#include "daemon/store/store_rep.h"

namespace tocsin::store {
namespace {

std::vector<NamedCount> Top(std::vector<NamedCount> counts, std::size_t top) {
  const auto larger = [](const NamedCount& a, const NamedCount& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  const std::size_t kept = std::min(top, counts.size());
  std::partial_sort(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(kept),
                    counts.end(), larger);
  counts.resize(kept);
  return counts;
}

void CountLabels(const LabelIndex& index, std::size_t top, StoreStats& stats) {
  std::vector<NamedCount> by_metric;
  std::vector<NamedCount> values;
  std::vector<NamedCount> bytes;
  std::vector<NamedCount> pairs;
  for (const auto& [name, of_name] : index.names()) {
    std::int64_t text_bytes = 0;
    for (const auto& [value, slots] : of_name) {
      const auto series = static_cast<std::int64_t>(slots.size());
      text_bytes += static_cast<std::int64_t>(value.size()) * series;
      if (name == model::kMetricName) by_metric.emplace_back(value, series);
      pairs.emplace_back(name + "=" + value, series);
    }
    values.emplace_back(name, static_cast<std::int64_t>(of_name.size()));
    bytes.emplace_back(name, text_bytes);
  }
  stats.label_pairs = static_cast<std::int64_t>(pairs.size());
  stats.series_by_metric = Top(std::move(by_metric), top);
  stats.values_by_label = Top(std::move(values), top);
  stats.memory_bytes_by_label = Top(std::move(bytes), top);
  stats.series_by_label_pair = Top(std::move(pairs), top);
}

}  // namespace

StoreStats Store::Rep::Stats(std::size_t top) const {
  StoreStats stats;
  stats.series = head_.series_count();
  stats.archived_series = head_.archived_count();
  const Head::Counted counted = head_.Count();
  stats.samples = counted.samples;
  stats.chunks = counted.chunks;
  stats.unsaved_chunks = counted.unsaved_chunks;
  stats.min_time_ms = counted.min_ms;
  stats.max_time_ms = counted.max_ms;
  stats.memory_bytes = counted.memory_bytes;
  stats.chunk_bytes = counted.chunk_bytes;
  head_.InspectIndex([&](const LabelIndex& index) { CountLabels(index, top, stats); });
  if (history_ == nullptr) return stats;
  stats.corruptions = history_->corruptions();
  stats.damaged_path = history_->damaged_path();
  stats.disk_failing = disk_failing_;
  if (const auto size = history_->MeasureSize(); size.ok()) {
    stats.disk_bytes = size->file_bytes;
    stats.journal_rows = size->journal_rows;
  }
  return stats;
}

}  // namespace tocsin::store
