#pragma once

// How values flow through the evaluator: a column per series with one value for
// each step. A step without a value holds Absent(): the staleness marker, which no
// sample that a query sees can be.

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/model/sample.h"

namespace tocsin::promql {

inline double Absent() { return model::StaleMarker(); }
inline bool IsAbsent(double value) { return model::IsStaleMarker(value); }

// The times a query, or a subquery in it, is evaluated at.
struct Steps {
  std::int64_t start_ms = 0;
  std::int64_t step_ms = 1;
  std::int64_t count = 1;

  std::int64_t At(std::int64_t index) const { return start_ms + index * step_ms; }
  std::int64_t Last() const { return At(count - 1); }
  std::size_t Size() const { return static_cast<std::size_t>(count); }
};

// `drop_name`: the metric name (and __type__, __unit__) falls away at the end of
// the query, unless label_replace or label_join sets a new one before.
struct SeriesColumn {
  model::Labels labels;
  bool drop_name = false;
  std::span<double> values;  // The receiver may change them; valid until it returns.
};

inline std::int64_t CountPresent(std::span<const double> values) {
  std::int64_t count = 0;
  for (const double value : values) count += IsAbsent(value) ? 0 : 1;
  return count;
}

// A reference to whatever takes columns; does not own it. Returns false to stop.
class SeriesSink {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, SeriesSink>)
      SeriesSink(F&& take)  // NOLINT: made in place from a lambda.
      : target_(const_cast<void*>(static_cast<const void*>(std::addressof(take)))),
        call_([](void* target, SeriesColumn& column) {
          return (*static_cast<std::remove_reference_t<F>*>(target))(column);
        }) {}

  bool operator()(SeriesColumn& column) const { return call_(target_, column); }

 private:
  void* target_;
  bool (*call_)(void*, SeriesColumn&);
};

// Columns kept: one allocation grows for all of them.
class Block {
 public:
  explicit Block(std::int64_t steps) : steps_(static_cast<std::size_t>(steps)) {}

  void Add(const SeriesColumn& column) {
    labels_.push_back(column.labels);
    drop_name_.push_back(column.drop_name ? 1 : 0);
    values_.insert(values_.end(), column.values.begin(), column.values.end());
  }
  std::size_t size() const { return labels_.size(); }
  const model::Labels& labels(std::size_t series) const { return labels_[series]; }
  void SetLabels(std::size_t series, model::Labels labels) { labels_[series] = std::move(labels); }
  bool drop_name(std::size_t series) const { return drop_name_[series] != 0; }
  void SetDropName(std::size_t series, bool drop) { drop_name_[series] = drop ? 1 : 0; }
  std::span<double> values(std::size_t series) {
    return {values_.data() + series * steps_, steps_};
  }
  std::span<const double> values(std::size_t series) const {
    return {values_.data() + series * steps_, steps_};
  }
  SeriesColumn Column(std::size_t series) {
    return {labels_[series], drop_name(series), values(series)};
  }

 private:
  std::size_t steps_;
  std::vector<model::Labels> labels_;
  std::vector<char> drop_name_;
  std::vector<double> values_;
};

}  // namespace tocsin::promql
