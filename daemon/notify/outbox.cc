#include "daemon/notify/outbox.h"

#include <algorithm>

#include "daemon/notify/retry_policy.h"

namespace tocsin::notify {
namespace {

bool Includes(const std::vector<std::uint64_t>& list, const std::vector<std::uint64_t>& part) {
  return std::all_of(part.begin(), part.end(), [&](std::uint64_t fingerprint) {
    return std::find(list.begin(), list.end(), fingerprint) != list.end();
  });
}

SteadyTime DueTime(const Delivery& delivery, Moment now) {
  return std::min(now.SteadyAt(delivery.next_attempt_at), now.steady + kMaxRetryAfter);
}

}  // namespace

void Outbox::Restore(const std::vector<Delivery>& deliveries, Moment now) {
  for (Delivery delivery : deliveries) {
    delivery.maybe_taken = true;
    Add(delivery, now);
  }
}

Outbox::Replaced Outbox::ReplacedBy(const Delivery& delivery) const {
  MutexLock lock(mutex_);
  Replaced replaced;
  const GroupQueue* queue = FindQueue(delivery.integration, delivery.group_key);
  if (!queue) return replaced;
  // From the youngest back: the first that must be told before ends it.
  for (auto it = queue->rbegin(); it != queue->rend(); ++it) {
    const Entry& entry = it->second;
    if (entry.in_flight) break;
    const bool covered = entry.delivery.attempts == 0 &&
                         Includes(delivery.firing, entry.delivery.firing) &&
                         Includes(delivery.resolved, entry.delivery.resolved);
    if (!covered && !entry.delivery.partly_delivered) break;
    replaced.ids.push_back(it->first);
    replaced.maybe_taken |= entry.delivery.maybe_taken;
  }
  return replaced;
}

bool Outbox::HasLater(const Delivery& delivery) const {
  MutexLock lock(mutex_);
  const GroupQueue* queue = FindQueue(delivery.integration, delivery.group_key);
  return queue && queue->rbegin()->first > delivery.id;
}

std::set<std::uint64_t> Outbox::ToldAfter(const Delivery& delivery) const {
  MutexLock lock(mutex_);
  std::set<std::uint64_t> told;
  const GroupQueue* queue = FindQueue(delivery.integration, delivery.group_key);
  if (!queue) return told;
  for (auto it = queue->upper_bound(delivery.id); it != queue->end(); ++it) {
    const Delivery& later = it->second.delivery;
    told.insert(later.firing.begin(), later.firing.end());
    told.insert(later.resolved.begin(), later.resolved.end());
  }
  return told;
}

bool Outbox::HasPending(const std::string& integration, const std::string& group_key) const {
  MutexLock lock(mutex_);
  const GroupQueue* queue = FindQueue(integration, group_key);
  return queue && std::any_of(queue->begin(), queue->end(), [](const auto& item) {
           return !item.second.delivery.partly_delivered;
         });
}

std::size_t Outbox::size() const {
  MutexLock lock(mutex_);
  return places_.size();
}

std::size_t Outbox::SizeOf(const std::string& integration) const {
  MutexLock lock(mutex_);
  std::size_t size = 0;
  const auto lane = lanes_.find(integration);
  if (lane == lanes_.end()) return size;
  for (const auto& [group_key, queue] : lane->second) size += queue.size();
  return size;
}

void Outbox::Add(const Delivery& delivery, Moment now) {
  Entry entry{delivery, DueTime(delivery, now), now.SteadyAt(delivery.expires_at), false};
  entry.delivery.payload.clear();
  MutexLock lock(mutex_);
  Entry& place = lanes_[delivery.integration][delivery.group_key][delivery.id];
  if (place.delivery.id != 0) entry.expires = place.expires;  // Known: a retry.
  place = std::move(entry);
  places_[delivery.id] = {delivery.integration, delivery.group_key};
}

void Outbox::Retry(const Delivery& delivery, Moment now) { Add(delivery, now); }

void Outbox::Remove(std::int64_t id) {
  MutexLock lock(mutex_);
  const auto place = places_.find(id);
  if (place == places_.end()) return;
  const auto lane = lanes_.find(place->second.first);
  const auto queue = lane->second.find(place->second.second);
  queue->second.erase(id);
  if (queue->second.empty()) lane->second.erase(queue);
  if (lane->second.empty()) lanes_.erase(lane);
  places_.erase(place);
}

const Outbox::GroupQueue* Outbox::FindQueue(const std::string& integration,
                                            const std::string& group_key) const {
  const auto lane = lanes_.find(integration);
  if (lane == lanes_.end()) return nullptr;
  const auto queue = lane->second.find(group_key);
  return queue == lane->second.end() ? nullptr : &queue->second;
}

Outbox::Entry* Outbox::Find(std::int64_t id) {
  const auto place = places_.find(id);
  if (place == places_.end()) return nullptr;
  return &lanes_[place->second.first][place->second.second][id];
}

std::optional<Delivery> Outbox::Claim(const std::string& integration, Moment now) {
  MutexLock lock(mutex_);
  const auto lane = lanes_.find(integration);
  if (lane == lanes_.end()) return std::nullopt;
  Entry* oldest = nullptr;
  for (auto& [group_key, queue] : lane->second) {
    Entry& first = queue.begin()->second;
    if (first.in_flight || first.due > now.steady) continue;
    if (!oldest || first.delivery.id < oldest->delivery.id) oldest = &first;
  }
  if (!oldest) return std::nullopt;
  oldest->in_flight = true;
  return oldest->delivery;
}

void Outbox::Release(const Delivery& delivery) {
  MutexLock lock(mutex_);
  Entry* entry = Find(delivery.id);
  if (!entry) return;
  entry->in_flight = false;
  entry->delivery.maybe_taken |= delivery.maybe_taken;
}

std::optional<SteadyTime> Outbox::NextDue(const std::string& integration) const {
  MutexLock lock(mutex_);
  const auto lane = lanes_.find(integration);
  if (lane == lanes_.end()) return std::nullopt;
  std::optional<SteadyTime> next;
  for (const auto& [group_key, queue] : lane->second) {
    const Entry& first = queue.begin()->second;
    if (!first.in_flight && (!next || first.due < *next)) next = first.due;
  }
  return next;
}

void Outbox::MakeDue(const std::string& integration, Moment now) {
  MutexLock lock(mutex_);
  const auto lane = lanes_.find(integration);
  if (lane == lanes_.end()) return;
  for (auto& [group_key, queue] : lane->second) {
    for (auto& [id, entry] : queue) entry.due = std::min(entry.due, now.steady);
  }
}

std::vector<Delivery> Outbox::Expired(Moment now) const {
  MutexLock lock(mutex_);
  std::vector<Delivery> expired;
  for (const auto& [id, place] : places_) {
    const Entry& entry = lanes_.at(place.first).at(place.second).at(id);
    if (!entry.in_flight && entry.expires <= now.steady) expired.push_back(entry.delivery);
  }
  return expired;
}

std::vector<Outbox::Waiting> Outbox::List() const {
  MutexLock lock(mutex_);
  std::vector<Waiting> list;
  for (const auto& [id, place] : places_) {
    const Entry& entry = lanes_.at(place.first).at(place.second).at(id);
    list.push_back({entry.delivery, entry.in_flight});
  }
  return list;
}

}  // namespace tocsin::notify
