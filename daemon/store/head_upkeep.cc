// What the store's lane does to the head: sealing, saving, dropping, collecting.
// Every loop over the series holds the lock for one slice at a time.

#include <algorithm>
#include <limits>

#include "daemon/store/head.h"

namespace tocsin::store {
namespace {

constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kStartOfTime = std::numeric_limits<std::int64_t>::min();

// How many series before its turn one is drawn into the cache: first itself, then its body.
constexpr Slot kSeriesAhead = 16;
constexpr Slot kBodyAhead = 8;

}  // namespace

Slot Head::slot_count() const {
  MutexLock lock(mutex_);
  return static_cast<Slot>(slots_.size());
}

template <class Visit>
void Head::VisitAll(Visit visit) const {
  const Slot count = slot_count();
  for (Slot from = 0; from < count; from += kSlice) {
    MutexLock lock(mutex_);
    const Slot end = std::min(count, from + kSlice);
    for (Slot slot = from; slot < end; ++slot) {
      if (slot + kSeriesAhead < end && slots_[slot + kSeriesAhead] != nullptr) {
        slots_[slot + kSeriesAhead]->Fetch();
      }
      if (slot + kBodyAhead < end && slots_[slot + kBodyAhead] != nullptr) {
        slots_[slot + kBodyAhead]->FetchBody();
      }
      if (slots_[slot] != nullptr) visit(slot, *slots_[slot]);
    }
  }
}

void Head::CountSeries(const Series& series, UpkeepResult& result) {
  result.journal_watermark = std::min(result.journal_watermark, series.first_unsaved_sequence());
  result.samples += series.sample_count();
  result.chunks += static_cast<std::int64_t>(series.chunks().size());
  result.chunks += series.has_open_chunk() ? 1 : 0;
  for (const SealedChunk& chunk : series.chunks()) {
    if (chunk.saved) continue;
    ++result.unsaved_chunks;
    result.unsaved_bytes += chunk.size;
  }
  result.chunk_bytes += series.chunk_bytes();
}

Head::Counted Head::Count() const {
  Counted counted;
  counted.min_ms = kEndOfTime;
  counted.max_ms = kStartOfTime;
  VisitAll([&](Slot, const Series& series) {
    CountSeries(series, counted);
    counted.memory_bytes += series.MemoryBytes();
    if (series.memory_from_ms() == kEndOfTime) return;
    counted.min_ms = std::min(counted.min_ms, series.memory_from_ms());
    counted.max_ms = std::max(counted.max_ms, series.last_ms());
  });
  if (counted.min_ms > counted.max_ms) counted.min_ms = counted.max_ms = 0;
  return counted;
}

Head::UpkeepResult Head::Upkeep(const UpkeepPlan& plan) {
  UpkeepResult result;
  {
    MutexLock lock(mutex_);
    result.journal_watermark = next_sequence_;  // Later commits keep themselves.
  }
  const auto expired = [&](const SealedChunk& chunk) {
    if (chunk.sealed_at_ms >= plan.expire_before_ms) return false;
    ++result.expired_chunks;
    return true;
  };
  const auto out_of_memory = [&](const SealedChunk& chunk) {
    return chunk.saved && chunk.sealed_at_ms < plan.drop_saved_before_ms;
  };
  VisitAll([&](Slot slot, Series& series) {
    {
      MutexLock stripe(StripeOf(slot));
      if (series.has_open_chunk() && (series.open_since_ms() < plan.seal_opened_before_ms ||
                                      series.touched_at_ms() < plan.idle_since_ms)) {
        series.Seal(plan.now_ms);
      }
      series.DropChunks([&](const SealedChunk& c) { return expired(c) || out_of_memory(c); });
    }
    CountSeries(series, result);
    if (IsIdle(series, plan.idle_since_ms)) ++result.idle_series;
  });
  return result;
}

std::vector<Head::UnsavedChunk> Head::UnsavedChunks(Slot& from, std::size_t limit) const {
  std::vector<UnsavedChunk> unsaved;
  const Slot count = slot_count();
  while (from < count && unsaved.size() < limit) {
    MutexLock lock(mutex_);
    const Slot slice_end = std::min(count, from + kSlice);
    for (; from < slice_end && unsaved.size() < limit; ++from) {
      if (slots_[from] == nullptr) continue;
      const Series& series = *slots_[from];
      for (const SealedChunk& chunk : series.chunks()) {
        if (chunk.saved) continue;
        unsaved.push_back({from, series.ref_id(), series.history_id(), chunk.first_ms(),
                           chunk.last_ms, chunk.sealed_at_ms, static_cast<int>(chunk.samples),
                           std::string(chunk.bytes()),
                           series.registered() ? std::nullopt : std::optional(series.labels())});
      }
    }
  }
  if (from >= count) from = 0;
  return unsaved;
}

void Head::ConfirmSaved(const std::vector<UnsavedChunk>& chunks) {
  MutexLock lock(mutex_);
  for (const UnsavedChunk& chunk : chunks) {
    Series* series = SeriesOf(chunk.ref_id);
    if (series == nullptr) continue;
    MutexLock stripe(StripeOf(chunk.slot));
    series->MarkSaved(chunk.last_ms);
    series->set_registered(true);
  }
}

Head::Dropped Head::DropOldest(std::int64_t bytes, bool unsaved_only) {
  std::vector<std::pair<std::int64_t, std::int64_t>> by_age;  // Sealed at, bytes.
  VisitAll([&](Slot, const Series& series) {
    for (const SealedChunk& chunk : series.chunks()) {
      if (!unsaved_only || !chunk.saved) by_age.emplace_back(chunk.sealed_at_ms, chunk.size);
    }
  });
  std::sort(by_age.begin(), by_age.end());
  std::int64_t cutoff_ms = kStartOfTime;
  for (std::size_t i = 0; i < by_age.size() && bytes > 0; ++i) {
    cutoff_ms = by_age[i].first;
    bytes -= by_age[i].second;
  }
  Dropped dropped;
  VisitAll([&](Slot slot, Series& series) {
    MutexLock stripe(StripeOf(slot));
    series.DropChunks([&](const SealedChunk& chunk) {
      // Saved chunks in front of unsaved ones go with them: history has them.
      if (chunk.sealed_at_ms > cutoff_ms) return false;
      if (chunk.saved && unsaved_only) return true;
      ++dropped.chunks;
      dropped.samples += chunk.samples;
      return true;
    });
  });
  return dropped;
}

bool Head::IsIdle(const Series& series, std::int64_t since_ms) {
  return series.touched_at_ms() < since_ms && !series.has_open_chunk() && series.chunks().empty();
}

std::vector<Head::Collected> Head::CollectIdle(std::int64_t since_ms, std::size_t limit) {
  std::vector<Collected> collected;
  const Slot count = slot_count();
  std::shared_ptr<Generation> last;  // Freed after the lock, with what it kept.
  for (Slot from = 0; from < count && collected.size() < limit; from += kSlice) {
    MutexLock lock(mutex_);
    std::vector<std::pair<Slot, model::Labels>> removed;
    for (Slot slot = from; slot < std::min(count, from + kSlice); ++slot) {
      if (slots_[slot] == nullptr) continue;
      const Series& series = *slots_[slot];
      if (!IsIdle(series, since_ms)) continue;
      removed.emplace_back(slot, series.labels());
      if (!series.registered()) continue;
      collected.push_back({series.labels(),
                           {series.history_id(), series.first_ms(), series.last_ms(), {}},
                           series.has_history()});
      if (!series.has_history()) continue;
      archive_.emplace(series.labels().Fingerprint(), collected.back().series);
      archive_last_ms_ = std::max(archive_last_ms_, series.last_ms());
      ++directory_version_;
    }
    if (removed.empty()) continue;
    index_.Remove(removed);
    for (const auto& [slot, labels] : removed) {
      by_labels_.Remove(labels.Hash(), slot);
      const auto of_target = per_target_.find(TargetKey(labels));
      if (of_target != per_target_.end() && --of_target->second == 0) per_target_.erase(of_target);
      generation_->retired.push_back(std::move(slots_[slot]));
      free_slots_.push_back(slot);
    }
    last = generation_;
    generation_->next = std::make_shared<Generation>();
    generation_ = generation_->next;
  }
  return collected;
}

void Head::StartHistoryAnew(std::int64_t now_ms) {
  VisitAll([&](Slot slot, Series& series) {
    MutexLock stripe(StripeOf(slot));
    series.Seal(now_ms);
    series.ForgetHistory();
  });
  MutexLock lock(mutex_);
  archive_.clear();
  archive_last_ms_ = kStartOfTime;
  ++directory_version_;
}

}  // namespace tocsin::store
