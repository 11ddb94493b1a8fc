#pragma once

// How samples enter: poll, remote write and the rules write here; the store
// implements it, app wraps it so that the rules (evaluation on arrival) and push
// see each commit too.

#include <cstdint>
#include <span>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"

namespace tocsin::model {

// A series known to the sink. Writers keep it and append by it without hashing
// labels again; it stays valid for at least an hour after its last append.
struct SeriesRef {
  std::uint64_t id = 0;
  Labels labels;
};

struct SeriesSample {
  const SeriesRef* series = nullptr;  // Must live until Commit returns.
  std::int64_t time_ms = 0;
  double value = 0;
};

enum class CommitOrigin { kCollection, kRemoteWrite, kRules };

struct CommitContext {
  CommitOrigin origin = CommitOrigin::kCollection;
  Labels target;  // Of the collected target (job, instance, …); empty otherwise.
  WallTime at{};  // The commit's time: a collection's timestamp, a rule's evaluation time.
};

struct CommitOutcome {
  std::int64_t stored = 0;
  std::int64_t out_of_order = 0;  // Older than the series can still take.
  std::int64_t duplicate = 0;     // Same time, another value (same value is silently fine).
};

// Thread-safe.
class SampleSink {
 public:
  virtual ~SampleSink() = default;

  // Finds or makes the series of `labels` (with __name__).
  // Errors: kResourceExhausted at the series limit, kInvalidArgument for no name.
  virtual Result<SeriesRef> Resolve(const Labels& labels) = 0;

  // Stores the samples as one unit, visible to queries together. Samples that a
  // series cannot take are counted in the outcome; the others are stored.
  // Errors: kIoError when the journal cannot be written (the samples are then in
  // memory all the same, and the store's own metrics and alert say it),
  // kNotFound when a ref has expired (Resolve again; the others are stored).
  virtual Result<CommitOutcome> Commit(const CommitContext& context,
                                       std::span<const SeriesSample> samples) = 0;
};

// Told of each commit after it is visible. Called on the committing thread: must
// be quick and must not commit from within.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  virtual void OnCommit(const CommitContext& context, std::span<const SeriesSample> samples) = 0;
};

}  // namespace tocsin::model
