#include "daemon/poll/series_cache.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "daemon/model/exported_labels.h"

namespace tocsin::poll {
namespace {

constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

}  // namespace

SeriesCache::SeriesCache(model::SampleSink& sink, model::Labels target_labels, bool honor_labels)
    : sink_(sink), target_labels_(std::move(target_labels)), honor_labels_(honor_labels) {}

void SeriesCache::Collected::AddRow(std::uint32_t row) {
  if (rows.empty() && row == series.size()) return;
  if (rows.empty()) {
    rows.resize(series.size());
    std::iota(rows.begin(), rows.end(), 0u);
  }
  rows.push_back(row);
}

void SeriesCache::Begin(const model::MetricBatch* batch) {
  ++generation_;
  batch_ = batch;
  before_ = std::exchange(now_, {});
  next_ = 0;
  taken_to_.assign(before_.series.size(), kNowhere);
  is_indexed_ = false;
  places_ = {};
  if (batch != nullptr) now_.shape = batch->shape();
}

std::span<const model::SeriesRef> SeriesCache::FindAgain() {
  const bool one_each = before_.series.size() == batch_->row_count();
  if (!one_each || before_.shape != now_.shape || before_.has_untracked) return {};
  now_ = std::exchange(before_, {});
  return now_.series;
}

Result<SeriesCache::Found> SeriesCache::Find(std::size_t row, bool tracked) {
  constexpr std::uint32_t kTries = 2;  // One row may have gone.
  for (std::uint32_t likely = next_; likely < next_ + kTries; ++likely) {
    if (IsFreePlaceOf(likely, row)) return Found{Take(likely, row, tracked)};
  }
  if (!is_indexed_) IndexPlaces();
  const auto before_count = static_cast<std::uint32_t>(before_.series.size());
  if (const auto place = LookUp(row)) {
    if (*place >= before_count) return Found{&now_.series[*place - before_count], Seen::kAgain};
    const std::uint32_t taken_to = taken_to_[*place];
    if (taken_to != kNowhere) return Found{&now_.series[taken_to], Seen::kAgain};
    return Found{Take(*place, row, tracked)};
  }
  auto series = sink_.Resolve(
      pool_.Share(model::SeriesLabels(batch_->row(row), target_labels_, honor_labels_)));
  if (!series.ok()) return series.error();
  const auto index = static_cast<std::uint32_t>(now_.series.size());
  places_.Add(model::MetricBatch::HashSeries(*now_.shape, row), before_count + index);
  return Found{Keep(*std::move(series), row, tracked), Seen::kFirst, true};
}

bool SeriesCache::IsFreePlaceOf(std::uint32_t index, std::size_t row) const {
  return index < before_.series.size() && taken_to_[index] == kNowhere &&
         model::MetricBatch::SameSeries(*before_.shape, before_.RowOf(index), *now_.shape, row);
}

void SeriesCache::IndexPlaces() {
  is_indexed_ = true;
  places_.Reserve(std::max<std::size_t>(before_.series.size(), batch_->row_count()));
  for (std::uint32_t i = 0; i < before_.series.size(); ++i) {
    places_.Add(model::MetricBatch::HashSeries(*before_.shape, before_.RowOf(i)), i);
  }
}

std::optional<std::uint32_t> SeriesCache::LookUp(std::size_t row) const {
  const auto before_count = static_cast<std::uint32_t>(before_.series.size());
  return places_.Find(model::MetricBatch::HashSeries(*now_.shape, row), [&](std::uint32_t place) {
    const bool is_before = place < before_count;
    const Collected& collected = is_before ? before_ : now_;
    return model::MetricBatch::SameSeries(*collected.shape,
                                          collected.RowOf(is_before ? place : place - before_count),
                                          *now_.shape, row);
  });
}

const model::SeriesRef* SeriesCache::Take(std::uint32_t index, std::size_t row, bool tracked) {
  next_ = index + 1;
  taken_to_[index] = static_cast<std::uint32_t>(now_.series.size());
  return Keep(std::move(before_.series[index]), row, tracked);
}

const model::SeriesRef* SeriesCache::Keep(model::SeriesRef series, std::size_t row, bool tracked) {
  if (now_.series.empty()) {  // Pointers into it are handed out.
    now_.series.reserve(batch_->row_count());
  }
  now_.AddRow(static_cast<std::uint32_t>(row));
  now_.series.push_back(std::move(series));
  now_.tracked.push_back(tracked);
  now_.has_untracked |= !tracked;
  return &now_.series.back();
}

Result<SeriesCache::Found> SeriesCache::FindOwn(std::string_view name, model::LabelView label) {
  std::string key(name);
  if (!label.first.empty()) key.append("\n").append(label.second);
  auto known = own_.find(key);
  if (HasRow(name, label)) {
    if (known != own_.end()) own_.erase(known);  // The page goes on with it.
    return Found{nullptr, Seen::kAgain};
  }
  Found found;
  if (known == own_.end()) {
    model::Labels labels = target_labels_.With(model::kMetricName, name);
    if (!label.first.empty()) {
      const bool is_taken = target_labels_.Has(label.first);
      labels = labels.With((is_taken ? "exported_" : "") + std::string(label.first), label.second);
    }
    auto series = sink_.Resolve(labels);
    if (!series.ok()) return series.error();
    known = own_.emplace(std::move(key), Own{*std::move(series)}).first;
  }
  if (known->second.generation == generation_) found.seen = Seen::kAgain;
  known->second.generation = generation_;
  found.series = &known->second.series;
  return found;
}

// Families are few, and hardly ever has one the name of a series of ours.
bool SeriesCache::HasRow(std::string_view name, model::LabelView label) const {
  if (batch_ == nullptr) return false;
  const auto& families = batch_->families();
  if (std::none_of(families.begin(), families.end(),
                   [name](const auto& family) { return family.name == name; })) {
    return false;
  }
  for (std::size_t i = 0; i < batch_->row_count(); ++i) {
    const model::MetricBatch::Row row = batch_->row(i);
    if (row.name != name || row.label_count != (label.first.empty() ? 0 : 1)) continue;
    if (label.first.empty() || row.label(0) == label) return true;
  }
  return false;
}

// A row that a page had may be a series of ours now.
bool SeriesCache::IsOwnNow(const model::SeriesRef& series) const {
  return std::any_of(own_.begin(), own_.end(), [&](const auto& own) {
    return own.second.generation == generation_ && own.second.series.id == series.id;
  });
}

const std::vector<model::SeriesRef>& SeriesCache::TakeVanished() {
  vanished_.clear();
  for (std::size_t i = 0; i < before_.series.size(); ++i) {
    model::SeriesRef& series = before_.series[i];
    if (taken_to_[i] == kNowhere && before_.tracked[i] && !IsOwnNow(series)) {
      vanished_.push_back(std::move(series));
    }
  }
  std::erase_if(own_, [this](auto& own) {
    if (own.second.generation == generation_) return false;
    vanished_.push_back(std::move(own.second.series));
    return true;
  });
  batch_ = nullptr;
  before_ = {};
  taken_to_ = std::vector<std::uint32_t>();  // "{}" would keep the memory.
  places_ = {};
  pool_ = {};
  return vanished_;
}

void SeriesCache::Clear() {
  before_ = {};
  now_ = {};
  own_.clear();
}

}  // namespace tocsin::poll
