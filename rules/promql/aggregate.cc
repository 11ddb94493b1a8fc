// Aggregations. Those that reduce a group to one value take each series' column as
// it comes; topk, bottomk and count_values keep their input.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rules/promql/evaluator.h"
#include "rules/promql/grouping.h"
#include "rules/promql/lexer.h"
#include "rules/promql/numeric.h"
#include "rules/promql/utf8.h"

namespace tocsin::promql {
namespace {

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// A reduction's state at one step: Add() for each value, Value() at the end.
struct SumState {
  CompensatedSum sum;
  void Add(double value) { sum.Add(value); }
  double Value(double) { return sum.sum + sum.compensation; }
};

struct AvgState {
  CompensatedMean mean;
  void Add(double value) { mean.Add(value); }
  double Value(double) { return mean.Value(); }
};

struct CountState {
  double count = 0;
  void Add(double) { ++count; }
  double Value(double) const { return count; }
};

struct GroupState {
  void Add(double) {}
  double Value(double) const { return 1; }
};

struct MinState {
  double least = model::NormalNaN();
  void Add(double value) {
    if (value < least || std::isnan(least)) least = value;
  }
  double Value(double) const { return least; }
};

struct MaxState {
  double most = model::NormalNaN();
  void Add(double value) {
    if (value > most || std::isnan(most)) most = value;
  }
  double Value(double) const { return most; }
};

// Welford's method. A first value that is not finite makes the result NaN.
struct VarianceState {
  double count = 0;
  double mean = 0;
  double squares = 0;
  void Add(double value) {
    ++count;
    if (count == 1) {
      mean = value;
      squares = std::isfinite(value) ? 0 : model::NormalNaN();
      return;
    }
    const double distance = value - mean;
    mean += distance / count;
    squares += distance * (value - mean);
  }
  double Value(double) const { return squares / count; }
};

struct DeviationState : VarianceState {
  double Value(double) const { return std::sqrt(squares / count); }
};

struct QuantileState {
  std::vector<double> values;
  void Add(double value) { values.push_back(value); }
  double Value(double q) { return Quantile(q, values); }
};

class Reduction {
 public:
  Reduction(Evaluator& evaluator, const AggregateExpr& aggregate, const Steps& steps)
      : evaluator_(evaluator),
        aggregate_(aggregate),
        steps_(steps),
        grouping_(!aggregate.without, aggregate.grouping),
        parameter_(steps.Size(), 0) {}

  std::vector<double>& parameter() { return parameter_; }

  template <class State>
  bool Run(const SeriesSink& sink) {
    std::vector<State> states;
    const std::size_t width = steps_.Size();
    const bool read = evaluator_.Series(*aggregate_.expr, steps_, [&](const SeriesColumn& column) {
      const std::size_t group = grouping_.Find(column.labels);
      if (group == groups_.size()) {
        groups_.push_back({grouping_.SharedLabels(column.labels), false});
        states.resize(states.size() + width);
        seen_.resize(seen_.size() + width, 0);
      }
      groups_[group].drop_name |= column.drop_name;
      for (std::size_t step = 0; step < width; ++step) {
        const double value = column.values[step];
        if (IsAbsent(value)) continue;
        states[group * width + step].Add(value);
        seen_[group * width + step] = 1;
      }
      return true;
    });
    if (!read) return false;
    std::vector<double> values(width);
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      for (std::size_t step = 0; step < width; ++step) {
        const std::size_t at = group * width + step;
        values[step] = seen_[at] != 0 ? states[at].Value(parameter_[step]) : Absent();
      }
      SeriesColumn column{groups_[group].labels, groups_[group].drop_name, values};
      if (!sink(column)) return false;
    }
    return true;
  }

 private:
  struct Group {
    model::Labels labels;
    bool drop_name = false;
  };

  Evaluator& evaluator_;
  const AggregateExpr& aggregate_;
  const Steps& steps_;
  Grouping grouping_;
  std::vector<double> parameter_;
  std::vector<Group> groups_;
  std::vector<char> seen_;  // Whether a state took any value.
};

// The k best of each group, step by step; the others' values fall away.
class BestOf {
 public:
  BestOf(Evaluator& evaluator, const AggregateExpr& aggregate, const Steps& steps)
      : query_(evaluator.query()),
        evaluator_(evaluator),
        aggregate_(aggregate),
        steps_(steps),
        held_(query_),
        block_(steps.count) {}

  bool Run(std::span<const double> parameter, const SeriesSink& sink) {
    if (!evaluator_.Collect(*aggregate_.expr, steps_, block_, held_)) return false;
    if (!Check(parameter)) return false;
    Grouping grouping(!aggregate_.without, aggregate_.grouping);
    for (std::size_t i = 0; i < block_.size(); ++i) {
      const std::size_t group = grouping.Find(block_.labels(i));
      if (group == members_.size()) members_.emplace_back();
      members_[group].push_back(i);
    }
    if (steps_.count == 1) return Instant(parameter[0], sink);
    for (const std::vector<std::size_t>& members : members_) {
      for (std::size_t step = 0; step < parameter.size(); ++step) {
        const std::vector<std::size_t> best = Best(members, step, parameter[step]);
        std::vector<std::pair<std::size_t, double>> kept;
        for (const std::size_t i : best) kept.emplace_back(i, block_.values(i)[step]);
        for (const std::size_t i : members) block_.values(i)[step] = Absent();
        for (const auto& [i, value] : kept) block_.values(i)[step] = value;
      }
    }
    return Push(sink);
  }

 private:
  bool Check(std::span<const double> parameter) {
    double most = -std::numeric_limits<double>::infinity();
    for (const double k : parameter) {
      if (!std::isnan(k)) most = std::max(most, k);
    }
    const bool any_nan =
        std::any_of(parameter.begin(), parameter.end(), [](double k) { return std::isnan(k); });
    if (any_nan) return query_.Fail(Invalid("Parameter value is NaN"));
    constexpr double kMaxInt64 = 9223372036854774784.0;  // The largest double below 2^63.
    const double least = *std::min_element(parameter.begin(), parameter.end());
    if (most < 1) return true;
    if (least <= -9223372036854774784.0) {
      return query_.Fail(
          Invalid(fmt::format("Scalar value {} underflows int64", FormatScalar(least))));
    }
    if (most >= kMaxInt64) {
      return query_.Fail(
          Invalid(fmt::format("Scalar value {} overflows int64", FormatScalar(most))));
    }
    return true;
  }

  static std::string FormatScalar(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : FormatFixed(value);
  }

  // At most k of `members`, best first; a NaN is worse than any number, of equals the
  // earlier is better.
  std::vector<std::size_t> Best(const std::vector<std::size_t>& members, std::size_t step,
                                double k) {
    std::vector<std::size_t> present;
    for (const std::size_t i : members) {
      if (!IsAbsent(block_.values(i)[step])) present.push_back(i);
    }
    if (k < 1) return {};
    const bool top = aggregate_.op == AggregateOp::kTopk;
    const std::size_t count =
        k >= static_cast<double>(present.size()) ? present.size() : static_cast<std::size_t>(k);
    std::partial_sort(present.begin(), present.begin() + static_cast<std::ptrdiff_t>(count),
                      present.end(), [&](std::size_t left, std::size_t right) {
                        const double a = block_.values(left)[step];
                        const double b = block_.values(right)[step];
                        if (std::isnan(a) != std::isnan(b)) return std::isnan(b);
                        if (a == b || std::isnan(a)) return left < right;
                        return top ? a > b : a < b;
                      });
    present.resize(count);
    return present;
  }

  bool Instant(double k, const SeriesSink& sink) {
    for (const std::vector<std::size_t>& members : members_) {
      for (const std::size_t i : Best(members, 0, k)) {
        SeriesColumn column = block_.Column(i);
        if (!sink(column)) return false;
      }
    }
    return true;
  }

  bool Push(const SeriesSink& sink) {
    for (std::size_t i = 0; i < block_.size(); ++i) {
      SeriesColumn column = block_.Column(i);
      if (CountPresent(column.values) > 0 && !sink(column)) return false;
    }
    return true;
  }

  Query& query_;
  Evaluator& evaluator_;
  const AggregateExpr& aggregate_;
  const Steps& steps_;
  Held held_;
  Block block_;
  std::vector<std::vector<std::size_t>> members_;
};

bool CountValues(Evaluator& evaluator, const AggregateExpr& aggregate, const Steps& steps,
                 const SeriesSink& sink) {
  const std::string& label = As<StringLiteral>(Unparen(*aggregate.param)).value;
  if (!IsLabelName(label)) {
    return evaluator.query().Fail(Invalid("invalid label name " + GoQuote(label)));
  }
  std::vector<std::string> names = aggregate.grouping;
  if (!aggregate.without) names.push_back(label);
  const Grouping grouping(!aggregate.without, names);
  Held held(evaluator.query());
  std::map<model::Labels, std::vector<double>> counts;
  const bool read = evaluator.Series(*aggregate.expr, steps, [&](const SeriesColumn& column) {
    std::map<std::string, model::Labels> known;  // A series repeats few values.
    for (std::size_t step = 0; step < column.values.size(); ++step) {
      if (IsAbsent(column.values[step])) continue;
      auto [at, added] = known.try_emplace(FormatFixed(column.values[step]));
      if (added) at->second = grouping.SharedLabels(column.labels.With(label, at->first));
      std::vector<double>& row = counts[at->second];
      if (row.empty()) {
        if (!held.Add(steps.count)) return false;
        row.assign(steps.Size(), Absent());
      }
      row[step] = IsAbsent(row[step]) ? 1 : row[step] + 1;
    }
    return true;
  });
  if (!read) return false;
  for (auto& [labels, values] : counts) {
    SeriesColumn column{labels, false, values};
    if (!sink(column)) return false;
  }
  return true;
}

// Once for NaN, once for the most and once for the least of all steps.
void WarnOfQuantiles(const std::vector<double>& quantiles, const PositionRange& where,
                     Query& query) {
  double least = 0;
  double most = 1;
  for (const double quantile : quantiles) {
    if (std::isnan(quantile)) query.WarnQuantile(quantile, where);
    least = std::fmin(least, quantile);
    most = std::fmax(most, quantile);
  }
  if (most > 1) query.WarnQuantile(most, where);
  if (least < 0) query.WarnQuantile(least, where);
}

}  // namespace

bool Evaluator::Aggregate(const AggregateExpr& aggregate, const Steps& steps,
                          const SeriesSink& sink) {
  if (aggregate.op == AggregateOp::kCountValues) {
    return CountValues(*this, aggregate, steps, sink);
  }
  Reduction reduction(*this, aggregate, steps);
  if (aggregate.param != nullptr && !Scalars(*aggregate.param, steps, reduction.parameter())) {
    return false;
  }
  switch (aggregate.op) {
    case AggregateOp::kSum: return reduction.Run<SumState>(sink);
    case AggregateOp::kAvg: return reduction.Run<AvgState>(sink);
    case AggregateOp::kCount: return reduction.Run<CountState>(sink);
    case AggregateOp::kMin: return reduction.Run<MinState>(sink);
    case AggregateOp::kMax: return reduction.Run<MaxState>(sink);
    case AggregateOp::kGroup: return reduction.Run<GroupState>(sink);
    case AggregateOp::kStddev: return reduction.Run<DeviationState>(sink);
    case AggregateOp::kStdvar: return reduction.Run<VarianceState>(sink);
    case AggregateOp::kQuantile:
      WarnOfQuantiles(reduction.parameter(), Unparen(*aggregate.param).position, query_);
      return reduction.Run<QuantileState>(sink);
    default: break;
  }
  return BestOf(*this, aggregate, steps).Run(reduction.parameter(), sink);
}

}  // namespace tocsin::promql
