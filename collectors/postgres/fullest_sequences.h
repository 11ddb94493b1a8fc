#pragma once

// Of a database's sequences the hundred that have given out most of their numbers.
// Asking for a sequence's place opens it, so a visit looks at a bounded number: first on in
// the order of oids from where the last visit stopped, then at those known to be the
// fullest. Where one visit comes by all there are, the hundred are true at each; of more,
// one that fills up is found when its turn comes. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collectors/postgres/growth.h"

namespace tocsin::collectors::postgres {

class FullestSequences {
 public:
  static constexpr std::size_t kMost = 100;

  struct Sequence {
    std::string oid;
    std::string schema;
    std::string name;
    double given = 0;                      // How many of its numbers it has given out,
    double size = 0;                       // of so many.
    std::optional<double> days_left = {};  // At its present rate.

    double UsedRatio() const { return given / (size > 1 ? size : 1); }
  };

  // A visit begins, and goes on behind after(): "0" before the first.
  void BeginVisit(SteadyTime now);
  const std::string& after() const { return after_; }
  // It came to this oid, or to the end.
  void CameTo(const std::string& oid) { after_ = oid; }
  void CameToTheEnd(SteadyTime now);
  // It goes on no more: those known to be the fullest that it did not come by, to be looked
  // at again. None if it came by all there are.
  std::vector<std::string> LookAgainAt();
  // The visit is over: who was not seen is gone, and only the fullest are remembered.
  void EndVisit();

  // What a visit sees: a sequence in use; one that is locked, and stays what it was; one
  // that nobody has asked for a number, or that may not be read.
  void SeeUsed(Sequence sequence, SteadyTime now);
  void SeeLocked(const std::string& oid);
  void SeeUnused(const std::string& oid) { known_.erase(oid); }

  // The fullest first.
  std::vector<Sequence> Fullest() const;
  // How long it took to come by all there are, the last time; nothing before the first.
  std::optional<SteadyTime::duration> round() const { return round_; }
  // Those in use that are not among the fullest; those behind after() count as such.
  std::size_t LeftOut(std::size_t behind) const;

 private:
  struct Known {
    Sequence sequence;
    Growth growth;
    std::uint64_t seen_at = 0;  // The visit.
  };

  std::map<std::string, Known> known_;  // By oid.
  std::uint64_t visit_ = 0;
  std::string after_ = "0";
  SteadyTime round_began_{};
  std::optional<SteadyTime::duration> round_;
  bool from_first_ = false;  // This visit began before the first,
  bool saw_all_ = false;     // and came to the end.
  bool goes_on_ = false;
  std::size_t in_use_ = 0;  // Of those up to after_, or of all if that is the end.
};

}  // namespace tocsin::collectors::postgres
