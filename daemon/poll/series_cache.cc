#include "daemon/poll/series_cache.h"

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
  auto found = FindKey(
      tracked, [&] { return model::SeriesLabels(batch, row, target_labels_, honor_labels_); });
  if (found.ok() && keeps_order_) in_order_.push_back(*found->series);
  return found;
}

Result<SeriesCache::Found> SeriesCache::Find(std::string_view name, model::LabelView label) {
  key_.clear();
  AppendSized(name, key_);
  return FindKey(true, [&] {
    model::Labels labels = target_labels_.With(model::kMetricName, name);
    if (label.first.empty()) return labels;
    const bool is_taken = target_labels_.Has(label.first);
    return labels.With((is_taken ? "exported_" : "") + std::string(label.first), label.second);
  });
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

}  // namespace tocsin::poll
