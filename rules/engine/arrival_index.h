#pragma once

// Which rules read a committed series: every selector of every rule, by metric
// name. A target's commits bring the same series time after time, so the answer
// for a target is kept and found again by the sequence of its series.
//
// Immutable but for that memory; thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/model/sample_sink.h"
#include "rules/engine/running_group.h"

namespace tocsin::rules {

class ArrivalIndex {
 public:
  // Answers kept; above that, each commit is looked up anew.
  static constexpr std::size_t kMaxRemembered = 2000;

  struct Hit {
    std::size_t group = 0;
    std::size_t rule = 0;

    friend auto operator<=>(const Hit&, const Hit&) = default;
  };
  using Hits = std::vector<Hit>;  // Sorted, no repeats.

  explicit ArrivalIndex(std::vector<std::shared_ptr<RunningGroup>> groups);

  std::shared_ptr<const Hits> Find(const model::CommitContext& context,
                                   std::span<const model::SeriesSample> samples) const;

  const std::vector<std::shared_ptr<RunningGroup>>& groups() const { return groups_; }

 private:
  struct Reader {
    Hit hit;
    const std::vector<model::Matcher>* selector;
  };
  struct Remembered {
    std::uint64_t series = 0;  // A hash of the sequence of their ids.
    std::shared_ptr<const Hits> hits;
  };

  Hits LookUp(std::span<const model::SeriesSample> samples) const;

  const std::vector<std::shared_ptr<RunningGroup>> groups_;
  std::map<std::string, std::vector<Reader>, std::less<>> by_metric_;
  std::vector<Reader> any_metric_;

  mutable Mutex mutex_;
  mutable std::unordered_map<model::Labels, Remembered, model::LabelsHash> remembered_
      GUARDED_BY(mutex_);
};

}  // namespace tocsin::rules
