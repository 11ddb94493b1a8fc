#pragma once

// Of many objects (tables, indexes, statements) some have series of their own. Which
// ones changes seldom: whoever was chosen keeps its place for a day, free places go to
// the heaviest. What the others count is added up from each one's increase, so that
// the sum never falls when one is dropped, reset, or chosen. Not thread-safe.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"

namespace tocsin::collectors::postgres {

class TopObjects {
 public:
  static constexpr std::chrono::hours kPlaceLasts{24};

  struct Object {
    std::string key;  // What it is told apart by; unique.
    double weight = 0;
    // As many as those of every other object. A later call may have more at the end, or
    // fewer: another version of the server.
    std::vector<double> counters;
    bool may_be_chosen = true;  // Else it is one of the others.
  };

  // Chooses at most `limit` of `objects`, which are all there are now; whether each is
  // chosen, in their order. Counts the increase of the others since the last call; an
  // object that was not there then has increased by all it has. O(n log n).
  std::vector<bool> Choose(std::span<const Object> objects, std::size_t limit, SteadyTime now);

  std::size_t left_out() const { return left_out_; }
  // By counter, what those left out have counted since the first call. Empty as long as
  // nobody ever was.
  const std::vector<double>& others() const { return others_; }

 private:
  static constexpr SteadyTime kNever = SteadyTime::min();  // It has no place.

  struct Known {
    SteadyTime chosen_at = kNever;
    // What it had at the last call: also while nobody is left out, for whoever loses its
    // place later counts from there.
    std::vector<double> counted;
    std::uint32_t call = 0;  // The last one at which it was there.
  };

  bool KeepsPlace(const Object& object, SteadyTime now) const;
  void CountOthers(std::span<const Object> objects, const std::vector<bool>& chosen);
  void Remember(std::span<const Object> objects, const std::vector<bool>& chosen, SteadyTime now);

  std::unordered_map<std::string, Known> known_;
  std::vector<double> others_;
  std::size_t left_out_ = 0;
  std::uint32_t calls_ = 0;
};

}  // namespace tocsin::collectors::postgres
