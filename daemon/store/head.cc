#include "daemon/store/head.h"

#include <algorithm>

#include "daemon/base/check.h"
#include "daemon/base/lean_push.h"

namespace tocsin::store {
namespace {

// A page's or a query's series lie all over memory. Each is drawn into the cache this
// many series before its turn: first the series, later what it points to.
constexpr std::size_t kSeriesAhead = 16;
constexpr std::size_t kChunkAhead = 8;

}  // namespace

std::string Head::TargetKey(const model::Labels& labels) {
  const std::string_view job = labels.Get("job");
  const std::string_view instance = labels.Get("instance");
  if (job.empty() && instance.empty()) return {};
  return std::string(job).append(1, '\xff').append(instance);
}

Head::Head(Limits limits) : limits_(limits), generation_(std::make_shared<Generation>()) {}
Head::~Head() = default;

Series* Head::SeriesOf(std::uint64_t ref_id) {
  const Slot slot = SlotOf(ref_id);
  if (slot >= slots_.size() || slots_[slot] == nullptr) return nullptr;
  return slots_[slot]->ref_id() == ref_id ? slots_[slot].get() : nullptr;
}

Series* Head::SeriesOf(const model::Labels& labels) {
  const auto slot = by_labels_.Find(labels.Hash(), [&](Slot slot) {
    mutex_.AssertHeld();
    return slots_[slot]->labels() == labels;
  });
  return slot.has_value() ? slots_[*slot].get() : nullptr;
}

std::optional<model::SeriesRef> Head::Find(const model::Labels& labels, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  Series* series = SeriesOf(labels);
  if (series == nullptr) return std::nullopt;
  Touch(*series, now_ms);
  return model::SeriesRef{series->ref_id(), series->labels()};
}

// An open chunk keeps its series by itself, and knows by the touch how old it is.
void Head::Touch(Series& series, std::int64_t now_ms) {
  if (series.has_open_chunk()) return;
  MutexLock stripe(StripeOf(SlotOf(series.ref_id())));
  series.Touch(now_ms);
}

std::vector<ArchivedSeries> Head::Archived(std::uint64_t fingerprint) const {
  MutexLock lock(mutex_);
  std::vector<ArchivedSeries> series;
  const auto [first, last] = archive_.equal_range(fingerprint);
  for (auto entry = first; entry != last; ++entry) series.push_back(entry->second);
  return series;
}

Series& Head::Insert(const model::Labels& labels, std::uint64_t history_id, std::int64_t now_ms) {
  Slot slot;
  if (free_slots_.empty()) {
    slot = static_cast<Slot>(slots_.size());
    LeanPush(slots_, {});
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const std::uint64_t ref_id = (next_serial_++ << 32) | slot;
  slots_[slot] = std::make_unique<Series>(labels, ref_id, history_id, now_ms);
  by_labels_.Add(labels.Hash(), slot);
  index_.Add(slot, labels);
  if (const std::string key = TargetKey(labels); !key.empty()) ++per_target_[key];
  return *slots_[slot];
}

std::optional<model::SeriesRef> Head::Create(const model::Labels& labels,
                                             const std::optional<ArchivedSeries>& archived,
                                             std::size_t looked_at, std::int64_t now_ms,
                                             Refusal& refusal) {
  refusal = Refusal::kNone;
  MutexLock lock(mutex_);
  if (Series* series = SeriesOf(labels)) {
    Touch(*series, now_ms);
    return model::SeriesRef{series->ref_id(), series->labels()};
  }
  const auto [first, last] = archive_.equal_range(labels.Fingerprint());
  if (static_cast<std::size_t>(std::distance(first, last)) != looked_at) return std::nullopt;
  if (static_cast<std::int64_t>(by_labels_.size()) >= limits_.max_series) {
    refusal = Refusal::kAll;
    return std::nullopt;
  }
  const auto of_target = per_target_.find(TargetKey(labels));
  if (of_target != per_target_.end() && of_target->second >= limits_.max_series_per_target) {
    refusal = Refusal::kTarget;
    return std::nullopt;
  }
  if (!archived.has_value()) {
    Series& series = Insert(labels, next_history_id_++, now_ms);
    return model::SeriesRef{series.ref_id(), series.labels()};
  }
  const auto entry = std::find_if(first, last, [&](const auto& item) {
    return item.second.history_id == archived->history_id;
  });
  if (entry == last) return std::nullopt;
  Series& series = Insert(labels, archived->history_id, now_ms);
  series.ContinueHistory(entry->second.first_ms, entry->second.last_ms, archived->last_value);
  archive_.erase(entry);
  ++directory_version_;
  return model::SeriesRef{series.ref_id(), series.labels()};
}

void Head::Archive(std::uint64_t fingerprint, const ArchivedSeries& series) {
  MutexLock lock(mutex_);
  archive_.emplace(fingerprint, series);
  archive_last_ms_ = std::max(archive_last_ms_, series.last_ms);
  ++directory_version_;
}

bool Head::Unarchive(std::uint64_t fingerprint, std::uint64_t history_id) {
  MutexLock lock(mutex_);
  const auto [first, last] = archive_.equal_range(fingerprint);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.history_id != history_id) continue;
    archive_.erase(entry);
    ++directory_version_;
    return true;
  }
  return false;
}

void Head::FetchAhead(std::span<const model::SeriesSample> samples, std::size_t at) const {
  const auto series_at = [&](std::size_t index) -> const Series* {
    mutex_.AssertHeld();
    if (index >= samples.size()) return nullptr;
    const Slot slot = SlotOf(samples[index].series->id);
    return slot < slots_.size() ? slots_[slot].get() : nullptr;
  };
  if (const Series* series = series_at(at + kSeriesAhead)) series->Fetch();
  if (const Series* series = series_at(at + kChunkAhead)) series->FetchForAppend();
}

Head::Appended Head::Append(std::span<const model::SeriesSample> samples, std::int64_t now_ms) {
  Appended result;
  JournalEncoder journal(samples.size());
  AppendAll(samples, now_ms, result, journal);
  result.row.payload = journal.Take();
  return result;
}

void Head::AppendAll(std::span<const model::SeriesSample> samples, std::int64_t now_ms,
                     Appended& result, JournalEncoder& journal) {
  MutexLock lock(mutex_);
  const std::uint64_t sequence = next_sequence_++;
  std::optional<MutexLock> stripe;  // Kept while neighbours come one after the other.
  const Mutex* held = nullptr;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    FetchAhead(samples, i);
    const model::SeriesSample& sample = samples[i];
    Series* series = SeriesOf(sample.series->id);
    if (series == nullptr) {
      ++result.expired_refs;
      continue;
    }
    if (Mutex& mutex = StripeOf(SlotOf(series->ref_id())); &mutex != held) {
      stripe.reset();
      stripe.emplace(mutex);
      held = &mutex;
    }
    switch (series->Append(sample.time_ms, sample.value, sequence, now_ms)) {
      case AppendVerdict::kStored: break;
      case AppendVerdict::kSame: ++result.outcome.stored; continue;
      case AppendVerdict::kDuplicate: ++result.outcome.duplicate; continue;
      case AppendVerdict::kOutOfOrder: ++result.outcome.out_of_order; continue;
    }
    ++result.outcome.stored;
    journal.Add(series->history_id(), sample.time_ms, sample.value);
    if (!series->registered()) {
      series->set_registered(true);
      result.row.new_series.push_back({series->history_id(), series->labels()});
    }
  }
  result.row.sequence = sequence;
}

void Head::Restore(const model::Labels& labels, const ArchivedSeries& series, bool has_chunks,
                   std::int64_t now_ms) {
  MutexLock lock(mutex_);
  if (SeriesOf(labels) != nullptr || replaying_.contains(series.history_id)) return;
  Series& restored = Insert(labels, series.history_id, now_ms);
  restored.set_registered(true);
  if (has_chunks) restored.ContinueHistory(series.first_ms, series.last_ms, series.last_value);
  replaying_.emplace(series.history_id, SlotOf(restored.ref_id()));
  next_history_id_ = std::max(next_history_id_, series.history_id + 1);
}

bool Head::Holds(std::uint64_t history_id) const {
  MutexLock lock(mutex_);
  return replaying_.contains(history_id);
}

void Head::Replay(std::uint64_t sequence, const std::vector<JournalSample>& samples,
                  std::int64_t now_ms) {
  MutexLock lock(mutex_);
  for (const JournalSample& sample : samples) {
    const auto found = replaying_.find(sample.history_id);
    if (found == replaying_.end()) continue;
    MutexLock stripe(StripeOf(found->second));
    slots_[found->second]->Append(sample.time_ms, sample.value, sequence, now_ms);
  }
}

void Head::FinishReplay(std::uint64_t last_sequence, std::uint64_t last_history_id) {
  MutexLock lock(mutex_);
  replaying_.clear();
  next_sequence_ = std::max(next_sequence_, last_sequence + 1);
  next_history_id_ = std::max(next_history_id_, last_history_id + 1);
}

Head::Selected Head::Select(const std::vector<model::Matcher>& matchers,
                            model::TimeRange range) const {
  Selected selected;
  MutexLock lock(mutex_);
  const std::vector<Slot> found = index_.Find(
      matchers, slots_.size(),
      [this](Slot slot) -> const model::Labels& {
        mutex_.AssertHeld();
        return slots_[slot]->labels();
      },
      [this] {
        mutex_.AssertHeld();
        std::vector<Slot> all;
        all.reserve(by_labels_.size());
        for (Slot slot = 0; slot < slots_.size(); ++slot) {
          if (slots_[slot] != nullptr) all.push_back(slot);
        }
        return all;
      });
  selected.series.reserve(found.size());
  selected.until_ms.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i + kSeriesAhead < found.size()) slots_[found[i + kSeriesAhead]]->Fetch();
    const Series& series = *slots_[found[i]];
    if (!series.ever_had_samples() || series.last_ms() < range.from_ms ||
        series.first_ms() > range.to_ms) {
      continue;
    }
    selected.series.push_back(&series);
    selected.until_ms.push_back(series.last_ms());
  }
  selected.keep = generation_;
  selected.directory_version = directory_version_;
  selected.may_reach_archive = !archive_.empty() && range.from_ms <= archive_last_ms_;
  return selected;
}

std::uint64_t Head::directory_version() const {
  MutexLock lock(mutex_);
  return directory_version_;
}

std::optional<std::int64_t> Head::Read(const Series& series, Ahead ahead, model::TimeRange range,
                                       model::SampleColumns& out) const {
  Mutex& mutex = StripeOf(SlotOf(series.ref_id()));
  MutexLock stripe(mutex);
  // Another stripe's would need its lock.
  const auto is_ours = [&](const Series* other) {
    return other != nullptr && &StripeOf(SlotOf(other->ref_id())) == &mutex;
  };
  if (is_ours(ahead.later)) ahead.later->FetchBody();
  if (is_ours(ahead.soon)) ahead.soon->FetchSamples(range.from_ms);
  if (series.has_history() && !series.MemoryCovers(range.from_ms)) {
    const std::int64_t memory_from_ms = series.memory_from_ms();
    if (range.from_ms < memory_from_ms && series.first_ms() < memory_from_ms) {
      return memory_from_ms;
    }
  }
  series.Read(range, out);
  return std::nullopt;
}

bool Head::ReadLastOfTail(const Series& series, model::TimeRange range, model::Sample& out) const {
  MutexLock stripe(StripeOf(SlotOf(series.ref_id())));
  return series.ReadLastOfTail(range, out);
}

std::vector<std::string> Head::LabelNames() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, values] : index_.names()) names.push_back(name);
  return names;
}

std::vector<std::string> Head::LabelValues(std::string_view name) const {
  MutexLock lock(mutex_);
  std::vector<std::string> values;
  const auto found = index_.names().find(name);
  if (found == index_.names().end()) return values;
  for (const auto& [value, slots] : found->second) values.push_back(value);
  return values;
}

std::int64_t Head::series_count() const {
  MutexLock lock(mutex_);
  return static_cast<std::int64_t>(by_labels_.size());
}

std::int64_t Head::archived_count() const {
  MutexLock lock(mutex_);
  return static_cast<std::int64_t>(archive_.size());
}

void Head::InspectIndex(const std::function<void(const LabelIndex&)>& use) const {
  MutexLock lock(mutex_);
  use(index_);
}

}  // namespace tocsin::store
