#pragma once

// The one SampleSink that poll, remote write and the rules write to: it stores a
// commit and then shows it to those who act on arrival. Thread-safe.

#include <span>
#include <vector>

#include "daemon/model/sample_sink.h"

namespace tocsin::app {

class CommitFanout : public model::SampleSink {
 public:
  explicit CommitFanout(model::SampleSink& store) : store_(store) {}

  // Not thread-safe: while the daemon is being put together.
  void AddObserver(model::CommitObserver& observer) { observers_.push_back(&observer); }

  Result<model::SeriesRef> Resolve(const model::Labels& labels) override {
    return store_.Resolve(labels);
  }

  Result<model::CommitOutcome> Commit(const model::CommitContext& context,
                                      std::span<const model::SeriesSample> samples) override {
    auto outcome = store_.Commit(context, samples);
    // What could not be journalled is in memory all the same: the rules must see it.
    for (model::CommitObserver* observer : observers_) observer->OnCommit(context, samples);
    return outcome;
  }

 private:
  model::SampleSink& store_;
  std::vector<model::CommitObserver*> observers_;
};

}  // namespace tocsin::app
