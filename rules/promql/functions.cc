#include "rules/promql/functions.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "daemon/base/text.h"
#include "rules/promql/series_functions.h"
#include "rules/promql/value_functions.h"
#include "rules/promql/window_functions.h"

namespace tocsin::promql {
namespace {

constexpr ValueType kScalar = ValueType::kScalar;
constexpr ValueType kText = ValueType::kString;
constexpr ValueType kVector = ValueType::kVector;
constexpr ValueType kMatrix = ValueType::kMatrix;

constexpr FunctionTraits kDate = {.needs_step = true, .default_time = true};
constexpr FunctionTraits kEachStep = {.needs_step = true};
constexpr FunctionTraits kCounter = {.wants_counter = true};

Function Experimental(std::string_view name) {
  return {name, {}, kAnyNumber, kVector, {}, {}, true};
}

// Name, arguments, how many may be missing or added, result, body, traits. A new
// function is one more row.
const std::vector<Function>& Table() {
  static const std::vector<Function> kTable = {
      {"abs", {kVector}, 0, kVector, Abs, {}},
      {"absent", {kVector}, 0, kVector, AbsentVector, {}},
      {"absent_over_time", {kMatrix}, 0, kVector, AbsentOverTime, {}},
      {"acos", {kVector}, 0, kVector, Acos, {}},
      {"acosh", {kVector}, 0, kVector, Acosh, {}},
      {"asin", {kVector}, 0, kVector, Asin, {}},
      {"asinh", {kVector}, 0, kVector, Asinh, {}},
      {"atan", {kVector}, 0, kVector, Atan, {}},
      {"atanh", {kVector}, 0, kVector, Atanh, {}},
      {"avg_over_time", {kMatrix}, 0, kVector, AvgOverTime, {}},
      {"ceil", {kVector}, 0, kVector, Ceil, {}},
      {"changes", {kMatrix}, 0, kVector, Changes, {}},
      {"clamp", {kVector, kScalar, kScalar}, 0, kVector, Clamp, {}},
      {"clamp_max", {kVector, kScalar}, 0, kVector, ClampMax, {}},
      {"clamp_min", {kVector, kScalar}, 0, kVector, ClampMin, {}},
      {"cos", {kVector}, 0, kVector, Cos, {}},
      {"cosh", {kVector}, 0, kVector, Cosh, {}},
      {"count_over_time", {kMatrix}, 0, kVector, CountOverTime, {}},
      {"day_of_month", {kVector}, 1, kVector, DayOfMonth, kDate},
      {"day_of_week", {kVector}, 1, kVector, DayOfWeek, kDate},
      {"day_of_year", {kVector}, 1, kVector, DayOfYear, kDate},
      {"days_in_month", {kVector}, 1, kVector, DaysInMonth, kDate},
      {"deg", {kVector}, 0, kVector, Deg, {}},
      {"delta", {kMatrix}, 0, kVector, Delta, {}},
      {"deriv", {kMatrix}, 0, kVector, Deriv, {}},
      {"exp", {kVector}, 0, kVector, Exp, {}},
      {"floor", {kVector}, 0, kVector, Floor, {}},
      {"histogram_avg", {kVector}, 0, kVector, NoFloats, {}},
      {"histogram_count", {kVector}, 0, kVector, NoFloats, {}},
      {"histogram_fraction", {kScalar, kScalar, kVector}, 0, kVector, HistogramFraction, {}},
      {"histogram_quantile", {kScalar, kVector}, 0, kVector, HistogramQuantile, {}},
      {"histogram_stddev", {kVector}, 0, kVector, NoFloats, {}},
      {"histogram_stdvar", {kVector}, 0, kVector, NoFloats, {}},
      {"histogram_sum", {kVector}, 0, kVector, NoFloats, {}},
      {"hour", {kVector}, 1, kVector, Hour, kDate},
      {"idelta", {kMatrix}, 0, kVector, Idelta, {}},
      {"increase", {kMatrix}, 0, kVector, Increase, kCounter},
      {"irate", {kMatrix}, 0, kVector, Irate, {}},
      {"label_join", {kVector, kText, kText, kText}, kAnyNumber, kVector, LabelJoin, {}},
      {"label_replace", {kVector, kText, kText, kText, kText}, 0, kVector, LabelReplace, {}},
      {"last_over_time", {kMatrix}, 0, kVector, LastOverTime, {.keeps_name = true}},
      {"ln", {kVector}, 0, kVector, Ln, {}},
      {"log10", {kVector}, 0, kVector, Log10, {}},
      {"log2", {kVector}, 0, kVector, Log2, {}},
      {"max_over_time", {kMatrix}, 0, kVector, MaxOverTime, {}},
      {"min_over_time", {kMatrix}, 0, kVector, MinOverTime, {}},
      {"minute", {kVector}, 1, kVector, Minute, kDate},
      {"month", {kVector}, 1, kVector, Month, kDate},
      {"pi", {}, 0, kScalar, Pi, {}},
      {"predict_linear", {kMatrix, kScalar}, 0, kVector, PredictLinear, kEachStep},
      {"present_over_time", {kMatrix}, 0, kVector, PresentOverTime, {}},
      {"quantile_over_time",
       {kScalar, kMatrix},
       0,
       kVector,
       QuantileOverTime,
       {.wants_quantile = true}},
      {"rad", {kVector}, 0, kVector, Rad, {}},
      {"rate", {kMatrix}, 0, kVector, Rate, kCounter},
      {"resets", {kMatrix}, 0, kVector, Resets, {}},
      {"round", {kVector, kScalar}, 1, kVector, Round, {}},
      {"scalar", {kVector}, 0, kScalar, ScalarOf, {}},
      {"sgn", {kVector}, 0, kVector, Sgn, {}},
      {"sin", {kVector}, 0, kVector, Sin, {}},
      {"sinh", {kVector}, 0, kVector, Sinh, {}},
      {"sort", {kVector}, 0, kVector, SortAscending, {}},
      {"sort_desc", {kVector}, 0, kVector, SortDescending, {}},
      {"sqrt", {kVector}, 0, kVector, Sqrt, {}},
      {"stddev_over_time", {kMatrix}, 0, kVector, StddevOverTime, {}},
      {"stdvar_over_time", {kMatrix}, 0, kVector, StdvarOverTime, {}},
      {"sum_over_time", {kMatrix}, 0, kVector, SumOverTime, {}},
      {"tan", {kVector}, 0, kVector, Tan, {}},
      {"tanh", {kVector}, 0, kVector, Tanh, {}},
      {"time", {}, 0, kScalar, Time, kEachStep},
      {"timestamp", {kVector}, 0, kVector, Timestamp, kEachStep},
      {"vector", {kScalar}, 0, kVector, VectorOf, {}},
      {"year", {kVector}, 1, kVector, Year, kDate},
      // Behind a feature flag upstream; refused.
      Experimental("double_exponential_smoothing"),
      Experimental("end"),
      Experimental("first_over_time"),
      Experimental("histogram_quantiles"),
      Experimental("info"),
      Experimental("integral"),
      Experimental("mad_over_time"),
      Experimental("max_of"),
      Experimental("min_of"),
      Experimental("range"),
      Experimental("sort_by_label"),
      Experimental("sort_by_label_desc"),
      Experimental("start"),
      Experimental("start_timestamp"),
      Experimental("step"),
      Experimental("ts_of_first_over_time"),
      Experimental("ts_of_last_over_time"),
      Experimental("ts_of_max_over_time"),
      Experimental("ts_of_min_over_time"),
  };
  return kTable;
}

}  // namespace

const Function* FindFunction(std::string_view name) {
  static const std::unordered_map<std::string_view, const Function*> kIndex = [] {
    std::unordered_map<std::string_view, const Function*> index;
    for (const Function& function : Table()) index.emplace(function.name, &function);
    return index;
  }();
  const auto at = kIndex.find(name);
  return at == kIndex.end() ? nullptr : at->second;
}

std::string FunctionSuggestion(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Function& function : Table()) {
    if (!function.experimental) names.push_back(function.name);
  }
  // Of equally near ones, the one that begins alike: "rat" is rather "rate" than "rad".
  const auto alike = [name](std::string_view candidate) {
    return std::mismatch(name.begin(), name.end(), candidate.begin(), candidate.end()).first -
           name.begin();
  };
  std::stable_sort(names.begin(), names.end(),
                   [&](std::string_view a, std::string_view b) { return alike(a) > alike(b); });
  return Suggestion(name, names);
}

}  // namespace tocsin::promql
