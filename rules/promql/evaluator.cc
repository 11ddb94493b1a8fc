#include "rules/promql/evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "rules/promql/label_set.h"

namespace tocsin::promql {
namespace {

// Operators of a chain that columns flow through at a time; a part that is the same at every
// step may stand below as many of its own.
constexpr int kMostStreamed = kChainHeight / 2;

constexpr std::string_view kSameLabels = "vector cannot contain metrics with the same labelset";

// What an instant selector sees of a series: at each step the last sample that is not
// too old.
struct Lookback {
  std::int64_t first_ms;    // Where the first step looks from.
  std::int64_t advance_ms;  // From step to step.
  std::int64_t horizon_ms;  // A sample this old or older does not count.
  bool times;               // Samples' times instead of their values.

  // Returns how many steps see a value.
  std::int64_t Fill(const model::SampleColumns& samples, std::span<double> values) const {
    std::int64_t reference_ms = first_ms;
    std::int64_t present = 0;
    std::size_t next = 0;  // The first sample after the reference.
    for (double& value : values) {
      while (next < samples.size() && samples.times_ms[next] <= reference_ms) ++next;
      value = Absent();
      if (next > 0 && samples.times_ms[next - 1] > reference_ms - horizon_ms) {
        value = samples.values[next - 1];  // A staleness marker is Absent().
        if (times && !IsAbsent(value)) {
          value = static_cast<double>(samples.times_ms[next - 1]) / 1000;
        }
      }
      present += IsAbsent(value) ? 0 : 1;
      reference_ms += advance_ms;
    }
    return present;
  }
};

// The samples that the steps' lookbacks can see: of one step only the last.
Result<> ReadFor(const Steps& steps, const model::Selection& selection, std::size_t series,
                 model::TimeRange range, model::SampleColumns& samples) {
  if (steps.count > 1) return selection.Read(series, range, samples);
  model::Sample last;
  TOCSIN_ASSIGN_OR_RETURN(const bool found, selection.ReadLast(series, range, last));
  if (found) samples.Add(last.time_ms, last.value);
  return {};
}

bool EachColumn(Query& query, Block& block, const SeriesSink& sink) {
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (!query.GoOn()) return false;
    SeriesColumn column = block.Column(i);
    if (!sink(column)) return false;
  }
  return true;
}

}  // namespace

model::Labels DropMetadata(const model::Labels& labels) {
  static const std::vector<std::string> kNames = {"__name__", "__type__", "__unit__"};
  return labels.Drop(kNames);
}

bool MergeEqualLabels(Query& query, Block& block, const Steps& steps) {
  LabelSet labels(block.size());
  const auto labels_of = [&](std::size_t i) -> const model::Labels& { return block.labels(i); };
  std::vector<std::size_t> first(block.size());  // Of each series: the first of its labels.
  bool repeated = false;
  for (std::size_t i = 0; i < block.size(); ++i) {
    first[i] = labels.Add(i, labels_of);
    if (first[i] == i) continue;
    repeated = true;
    const std::span<double> into = block.values(first[i]);
    const std::span<double> from = block.values(i);
    for (std::size_t step = 0; step < into.size(); ++step) {
      if (IsAbsent(from[step])) continue;
      if (!IsAbsent(into[step])) {
        return query.Fail({ErrorCode::kInvalidArgument, std::string(kSameLabels)});
      }
      into[step] = from[step];
    }
  }
  if (!repeated) return true;
  Block merged(steps.count);
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (first[i] == i) merged.Add(block.Column(i));
  }
  block = std::move(merged);
  return true;
}

std::int64_t Evaluator::AtTime(const TimeShift& shift) const {
  switch (shift.at) {
    case TimeShift::At::kStart: return query_.start_ms();
    case TimeShift::At::kEnd: return query_.end_ms();
    default: return shift.at_ms;
  }
}

std::int64_t Evaluator::Reference(const TimeShift& shift, std::int64_t time_ms) const {
  return (shift.at == TimeShift::At::kNone ? time_ms : AtTime(shift)) - shift.offset_ms;
}

bool Evaluator::Series(const Expr& expr, const Steps& steps, const SeriesSink& sink) {
  if (!query_.GoOn()) return false;
  if (prepared_ == &expr) return EachColumn(query_, *prepared_columns_, sink);
  if (steps.count > 1 && expr.step_invariant) return Once(expr, steps, sink);
  switch (expr.kind) {
    case ExprKind::kParen: return Series(*As<ParenExpr>(expr).expr, steps, sink);
    case ExprKind::kVectorSelector: return Selector(As<VectorSelector>(expr), steps, false, sink);
    case ExprKind::kUnary: return Unary(As<UnaryExpr>(expr), steps, sink);
    case ExprKind::kBinary: return Chain(As<BinaryExpr>(expr), steps, sink);
    case ExprKind::kAggregate: return Aggregate(As<AggregateExpr>(expr), steps, sink);
    case ExprKind::kCall: return Call(As<CallExpr>(expr), steps, sink);
    default: break;
  }
  return query_.Fail({ErrorCode::kInternal, "expression is not an instant vector"});
}

// Of a long chain (`a + b + c …`) the lower parts first, whose answers are kept: the stack
// holds the operators of one part at a time.
bool Evaluator::Chain(const BinaryExpr& top, const Steps& steps, const SeriesSink& sink) {
  std::vector<const Expr*> parts;
  const Expr* node = &top;
  for (int count = 0; node->kind == ExprKind::kBinary && node->type == ValueType::kVector;
       node = As<BinaryExpr>(*node).lhs.get(), ++count) {
    if (node == prepared_ || (steps.count > 1 && node->step_invariant)) break;
    if (count > 0 && count % kMostStreamed == 0) parts.push_back(node);
  }
  struct Kept {
    Kept(Query& query, std::int64_t steps) : columns(steps), held(query) {}
    Block columns;
    Held held;
  };
  const Expr* const outer = prepared_;
  Block* const outer_columns = prepared_columns_;
  std::unique_ptr<Kept> kept;
  bool read = true;
  for (auto part = parts.rbegin(); read && part != parts.rend(); ++part) {
    auto next = std::make_unique<Kept>(query_, steps.count);
    read = Collect(**part, steps, next->columns, next->held);
    kept = std::move(next);
    prepared_ = *part;
    prepared_columns_ = &kept->columns;
  }
  read = read && Binary(top, steps, sink);
  prepared_ = outer;
  prepared_columns_ = outer_columns;
  return read;
}

// Evaluates at the first step only and repeats the answer.
bool Evaluator::Once(const Expr& expr, const Steps& steps, const SeriesSink& sink) {
  Steps one = steps;
  one.count = 1;
  Held held(query_);
  std::vector<double> repeated(steps.Size());
  return Series(expr, one, [&](SeriesColumn& column) {
    if (IsAbsent(column.values[0])) return true;
    if (!held.Add(steps.count - 1)) return false;
    std::fill(repeated.begin(), repeated.end(), column.values[0]);
    column.values = repeated;
    return sink(column);
  });
}

bool Evaluator::Collect(const Expr& expr, const Steps& steps, Block& block, Held& held) {
  return Series(expr, steps, [&](SeriesColumn& column) {
    const std::int64_t present = CountPresent(column.values);
    if (present == 0) return true;
    block.Add(column);
    return held.Add(present);
  });
}

bool Evaluator::Selector(const VectorSelector& selector, const Steps& steps, bool times,
                         const SeriesSink& sink) {
  const std::int64_t first = Reference(selector.shift, steps.start_ms);
  const std::int64_t last = Reference(selector.shift, steps.Last());
  const std::int64_t horizon = query_.lookback_ms() + (query_.closed_left() ? 1 : 0);
  const model::TimeRange range{first - horizon + 1, last};
  auto selected = query_.querier().Select(selector.matchers, range);
  if (!selected.ok()) return query_.Fail(selected.error().WithContext("expanding series"));
  const model::Selection& selection = **selected;

  Held held(query_);
  model::SampleColumns samples;
  std::vector<double> values(steps.Size());
  const std::int64_t advance = selector.shift.at == TimeShift::At::kNone ? steps.step_ms : 0;
  const Lookback lookback{first, advance, horizon, times};
  for (std::size_t i = 0; i < selection.size(); ++i) {
    if (!query_.GoOn()) return false;
    samples.Clear();
    if (Result<> read = ReadFor(steps, selection, i, range, samples); !read.ok()) {
      return query_.Fail(read.error());
    }
    const std::int64_t present = lookback.Fill(samples, values);
    if (present == 0) continue;
    ++query_.stats().series_read;
    query_.stats().samples_read += present;
    if (!held.Add(present)) return false;
    SeriesColumn column{selection.labels(i), false, values};
    if (!sink(column)) return false;
  }
  return !query_.failed();
}

bool Evaluator::SampleTimes(const VectorSelector& selector, const Steps& steps,
                            const SeriesSink& sink) {
  return Selector(selector, steps, true, sink);
}

bool Evaluator::Unary(const UnaryExpr& unary, const Steps& steps, const SeriesSink& sink) {
  if (unary.op == UnaryOp::kPlus) return Series(*unary.expr, steps, sink);
  return Series(*unary.expr, steps, [&](SeriesColumn& column) {
    for (double& value : column.values) {
      if (!IsAbsent(value)) value = -value;
    }
    column.drop_name = true;
    return sink(column);
  });
}

bool Evaluator::Scalars(const Expr& expr, const Steps& steps, std::span<double> out) {
  if (!query_.GoOn()) return false;
  if (expr.kind != ExprKind::kNumber && steps.count > 1 && expr.step_invariant) {
    Steps one = steps;
    one.count = 1;
    if (!Scalars(expr, one, out.subspan(0, 1))) return false;
    std::fill(out.begin(), out.end(), out[0]);
    return true;
  }
  switch (expr.kind) {
    case ExprKind::kNumber:
      std::fill(out.begin(), out.end(), As<NumberLiteral>(expr).value);
      return true;
    case ExprKind::kParen: return Scalars(*As<ParenExpr>(expr).expr, steps, out);
    case ExprKind::kUnary: {
      const auto& unary = As<UnaryExpr>(expr);
      if (!Scalars(*unary.expr, steps, out)) return false;
      if (unary.op == UnaryOp::kMinus) {
        for (double& value : out) value = -value;
      }
      return true;
    }
    case ExprKind::kBinary: return ScalarBinary(As<BinaryExpr>(expr), steps, out);
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      return std::get<ScalarBody>(call.function->body)(*this, call, steps, out);
    }
    default: break;
  }
  return query_.Fail({ErrorCode::kInternal, "expression is not a scalar"});
}

bool Evaluator::ScalarArguments(const CallExpr& call, const Steps& steps,
                                std::vector<std::vector<double>>& columns) {
  for (const ExprPtr& argument : call.args) {
    if (argument->type != ValueType::kScalar) continue;
    std::vector<double>& column = columns.emplace_back(steps.Size());
    if (!Scalars(*argument, steps, column)) return false;
  }
  return true;
}

bool Evaluator::Call(const CallExpr& call, const Steps& steps, const SeriesSink& sink) {
  const FunctionBody& body = call.function->body;
  if (const auto* value = std::get_if<ValueBody>(&body)) {
    return ValueCall(call, *value, steps, sink);
  }
  if (const auto* window = std::get_if<WindowBody>(&body)) {
    return WindowCall(call, *window, steps, sink);
  }
  return std::get<SeriesBody>(body)(*this, call, steps, sink);
}

// A function of each value, with the call's scalars beside it.
bool Evaluator::ValueCall(const CallExpr& call, ValueBody body, const Steps& steps,
                          const SeriesSink& sink) {
  std::vector<std::vector<double>> columns;
  if (!ScalarArguments(call, steps, columns)) return false;
  std::vector<double> scalars(columns.size());
  const auto apply = [&](SeriesColumn& column) {
    for (std::size_t step = 0; step < column.values.size(); ++step) {
      double& value = column.values[step];
      if (IsAbsent(value)) continue;
      for (std::size_t i = 0; i < scalars.size(); ++i) scalars[i] = columns[i][step];
      value = body(value, scalars);
    }
    column.drop_name = true;
    return sink(column);
  };
  if (call.args.empty() && call.function->traits.default_time) {
    std::vector<double> now(steps.Size());
    for (std::size_t step = 0; step < now.size(); ++step) {
      now[step] = static_cast<double>(steps.At(static_cast<std::int64_t>(step)) / 1000);
    }
    SeriesColumn column{{}, false, now};
    return apply(column);
  }
  for (const ExprPtr& argument : call.args) {
    if (argument->type == ValueType::kVector) return Series(*argument, steps, apply);
  }
  return query_.Fail({ErrorCode::kInternal, "call without a vector"});
}

double Quantile(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return model::NormalNaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  // NaN is smaller than any number.
  std::sort(values.begin(), values.end(),
            [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const double last = static_cast<double>(values.size() - 1);
  const double rank = q * last;
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(last, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

}  // namespace tocsin::promql
