#include "collectors/postgres/fullest_sequences.h"

#include <algorithm>
#include <utility>

namespace tocsin::collectors::postgres {

void FullestSequences::BeginVisit(SteadyTime now) {
  ++visit_;
  from_first_ = after_ == "0";
  saw_all_ = false;
  goes_on_ = true;
  if (!from_first_) return;
  in_use_ = 0;
  round_began_ = now;
}

void FullestSequences::CameToTheEnd(SteadyTime now) {
  round_ = now - round_began_;
  after_ = "0";
  saw_all_ = from_first_;
}

std::vector<std::string> FullestSequences::LookAgainAt() {
  goes_on_ = false;
  std::vector<std::string> oids;
  for (const auto& [oid, known] : known_) {
    if (known.seen_at != visit_ && !saw_all_) oids.push_back(oid);
  }
  return oids;
}

void FullestSequences::EndVisit() {
  std::erase_if(known_, [&](const auto& entry) { return entry.second.seen_at != visit_; });
  if (known_.size() <= kMost) return;
  std::map<std::string, Known> fullest;
  for (const Sequence& sequence : Fullest()) {
    if (fullest.size() == kMost) break;
    fullest.insert(known_.extract(sequence.oid));
  }
  known_ = std::move(fullest);
}

void FullestSequences::SeeUsed(Sequence sequence, SteadyTime now) {
  if (goes_on_) ++in_use_;
  Known& known = known_[sequence.oid];
  known.seen_at = visit_;
  known.sequence = std::move(sequence);
  if (const auto per_day = known.growth.PerDay(known.sequence.given, now)) {
    known.sequence.days_left = std::max(known.sequence.size - known.sequence.given, 0.0) / *per_day;
  }
}

void FullestSequences::SeeLocked(const std::string& oid) {
  const auto known = known_.find(oid);
  if (known == known_.end()) return;
  if (goes_on_) ++in_use_;
  known->second.seen_at = visit_;
}

std::vector<FullestSequences::Sequence> FullestSequences::Fullest() const {
  std::vector<Sequence> all;
  for (const auto& [oid, known] : known_) all.push_back(known.sequence);
  std::stable_sort(all.begin(), all.end(), [](const Sequence& one, const Sequence& other) {
    return one.UsedRatio() > other.UsedRatio();
  });
  return all;
}

std::size_t FullestSequences::LeftOut(std::size_t behind) const {
  const std::size_t all = in_use_ + behind;
  return all > known_.size() ? all - known_.size() : 0;
}

}  // namespace tocsin::collectors::postgres
