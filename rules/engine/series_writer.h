#pragma once

// The series that one rule writes (its recorded ones, or ALERTS and
// ALERTS_FOR_STATE): knows which were open at the last write and ends those that
// are gone with a staleness marker. Not thread-safe.

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/sample_sink.h"

namespace tocsin::rules {

using SeriesValues = std::vector<std::pair<model::Labels, double>>;

struct WriteOutcome {
  std::int64_t stored = 0;
  std::int64_t dropped = 0;  // Not taken: no series, out of order, or another value at that time.
};

class SeriesWriter {
 public:
  enum class Scope {
    kAll,      // Every series gets a sample.
    kChanges,  // Only those that are new; what is gone is ended.
  };

  // Errors: kResourceExhausted when a series could not be made (the others are
  // written), kIoError from the store's journal (the samples are in memory).
  Result<WriteOutcome> Write(model::SampleSink& sink, WallTime at, const SeriesValues& series,
                             Scope scope);

  // Ends every open series.
  Result<WriteOutcome> End(model::SampleSink& sink, WallTime at) {
    return Write(sink, at, {}, Scope::kAll);
  }

  // Open series that `series` lacks.
  std::vector<model::Labels> Gone(const SeriesValues& series) const;

 private:
  struct Open {
    model::SeriesRef ref;
    double value = 0;
    bool seen = false;
  };

  Result<WriteOutcome> Commit(model::SampleSink& sink, WallTime at,
                              std::vector<model::SeriesSample> samples);

  std::unordered_map<model::Labels, Open, model::LabelsHash> open_;
};

}  // namespace tocsin::rules
