#include "daemon/poll/series_cache.h"

#include <algorithm>

#include "daemon/model/exported_labels.h"

namespace tocsin::poll {
namespace {

void AppendSized(std::string_view text, std::string& out) {
  const auto size = static_cast<std::uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(text);
}

}  // namespace

SeriesCache::SeriesCache(model::SampleSink& sink, model::Labels target_labels, bool honor_labels)
    : sink_(sink), target_labels_(std::move(target_labels)), honor_labels_(honor_labels) {}

void SeriesCache::Begin() {
  ++generation_;
  seen_ = 0;
}

std::span<const model::SeriesRef> SeriesCache::FindAgain(const model::MetricBatch& batch) {
  if (one_each_ && batch.repeats() && shape_.lock() == batch.shape() &&
      in_order_.size() == batch.row_count()) {
    seen_ += in_order_.size();
    return in_order_;
  }
  in_order_.clear();
  keeps_order_ = batch.repeats();
  if (!keeps_order_) in_order_.shrink_to_fit();
  shape_ = batch.shape();
  one_each_ = true;
  return {};
}

Result<SeriesCache::Found> SeriesCache::Find(const model::MetricBatch& batch,
                                             const model::MetricBatch::Row& row, bool tracked) {
  key_.clear();
  AppendSized(row.name, key_);
  for (std::uint32_t i = row.first_label; i < row.first_label + row.label_count; ++i) {
    const auto [name, value] = batch.label(i);
    AppendSized(name, key_);
    AppendSized(value, key_);
  }
  auto found = FindKey(tracked, [&] { return LabelsOf(batch, row); });
  if (found.ok() && keeps_order_) in_order_.push_back(*found->series);
  return found;
}

Result<SeriesCache::Found> SeriesCache::Find(std::string_view name) {
  key_.clear();
  AppendSized(name, key_);
  return FindKey(true, [&] { return target_labels_.With(model::kMetricName, name); });
}

template <class MakeLabels>
Result<SeriesCache::Found> SeriesCache::FindKey(bool tracked, MakeLabels make_labels) {
  auto entry = entries_.find(key_);
  Found found;
  if (entry == entries_.end()) {
    auto series = sink_.Resolve(make_labels());
    one_each_ = one_each_ && series.ok();
    if (!series.ok()) return series.error();
    entry = entries_.emplace(key_, Entry{*std::move(series)}).first;
    found.is_new = true;
  }
  Entry& known = entry->second;
  if (known.generation == generation_) {
    found.seen = Seen::kAgain;
    one_each_ = false;
  } else {
    ++seen_;
  }
  known.generation = generation_;
  known.tracked = tracked;
  found.series = &known.series;
  return found;
}

const std::vector<model::SeriesRef>& SeriesCache::TakeVanished() {
  vanished_.clear();
  // FindAgain() sees what the collection before saw, so that either all are seen or
  // none of its series.
  if (seen_ == entries_.size()) return vanished_;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->second.generation == generation_) {
      ++entry;
      continue;
    }
    if (entry->second.tracked) vanished_.push_back(std::move(entry->second.series));
    entry = entries_.erase(entry);
  }
  one_each_ = false;
  return vanished_;
}

void SeriesCache::Clear() {
  entries_.clear();
  one_each_ = false;
}

model::Labels SeriesCache::LabelsOf(const model::MetricBatch& batch,
                                    const model::MetricBatch::Row& row) const {
  std::vector<model::LabelView> labels;
  labels.reserve(row.label_count + target_labels_.size() + 1);
  std::vector<std::pair<std::uint32_t, std::string>> exported;
  if (!honor_labels_) exported = model::ExportedLabels(batch, row, target_labels_);
  // Of two labels of one name the later one stays; honored, an empty one unsets the
  // target's.
  for (const model::LabelView label : target_labels_) labels.push_back(label);
  for (std::uint32_t i = row.first_label; i < row.first_label + row.label_count; ++i) {
    model::LabelView label = batch.label(i);
    if (!honor_labels_ && label.second.empty()) continue;
    const auto renamed = std::find_if(exported.begin(), exported.end(),
                                      [i](const auto& own) { return own.first == i; });
    if (renamed != exported.end()) label.first = renamed->second;
    labels.push_back(label);
  }
  labels.emplace_back(model::kMetricName, row.name);
  return model::Labels::FromPairs(std::move(labels));
}

}  // namespace tocsin::poll
