#include "rules/promql/value_functions.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <utility>

#include "rules/promql/column.h"
#include "rules/promql/numeric.h"

namespace tocsin::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMaxDateSeconds = 9.2e18;  // Within 64 bits.

// Quotient and remainder, the latter never negative.
std::pair<std::int64_t, std::int64_t> FloorDivide(std::int64_t value, std::int64_t by) {
  const std::int64_t remainder = (value % by + by) % by;
  return {(value - remainder) / by, remainder};
}

struct Date {
  std::chrono::sys_days day;  // Moved by `cycles`, as `civil` is.
  std::chrono::year_month_day civil;
  std::int64_t second_of_day = 0;
  std::int64_t cycles = 0;
};

// The calendar repeats, weekdays too; a year_month_day alone has 16 bits for its year.
constexpr std::int64_t kDaysPerCycle = 146'097;
constexpr std::int64_t kYearsPerCycle = 400;

// Of `seconds`, fractions cut off as by a conversion to an integer.
template <class F>
double OfDate(double seconds, F field) {
  if (!(std::abs(seconds) <= kMaxDateSeconds)) return model::NormalNaN();
  const auto whole = static_cast<std::int64_t>(std::trunc(seconds));
  const auto [days, second_of_day] = FloorDivide(whole, 86'400);
  const auto [cycles, day_of_cycle] = FloorDivide(days, kDaysPerCycle);
  const std::chrono::sys_days day{std::chrono::days(day_of_cycle)};
  return field(Date{day, std::chrono::year_month_day(day), second_of_day, cycles});
}

double Bounded(double value, double least, double most) { return GoMax(least, GoMin(most, value)); }

}  // namespace

double Abs(double value, Scalars) { return std::abs(value); }
double Acos(double value, Scalars) { return std::acos(value); }
double Acosh(double value, Scalars) { return std::acosh(value); }
double Asin(double value, Scalars) { return std::asin(value); }
double Asinh(double value, Scalars) { return std::asinh(value); }
double Atan(double value, Scalars) { return std::atan(value); }
double Atanh(double value, Scalars) { return std::atanh(value); }
double Ceil(double value, Scalars) { return std::ceil(value); }
double Cos(double value, Scalars) { return std::cos(value); }
double Cosh(double value, Scalars) { return std::cosh(value); }
double Deg(double value, Scalars) { return value * 180 / std::numbers::pi; }
double Exp(double value, Scalars) { return std::exp(value); }
double Floor(double value, Scalars) { return std::floor(value); }
double Ln(double value, Scalars) { return std::log(value); }
double Log10(double value, Scalars) { return std::log10(value); }
double Log2(double value, Scalars) { return std::log2(value); }
double Rad(double value, Scalars) { return value * std::numbers::pi / 180; }
double Sin(double value, Scalars) { return std::sin(value); }
double Sinh(double value, Scalars) { return std::sinh(value); }
double Sqrt(double value, Scalars) { return std::sqrt(value); }
double Tan(double value, Scalars) { return std::tan(value); }
double Tanh(double value, Scalars) { return std::tanh(value); }

double Sgn(double value, Scalars) { return value < 0 ? -1 : value > 0 ? 1 : value; }

double Clamp(double value, Scalars limits) {
  if (limits[1] < limits[0]) return Absent();
  return Bounded(value, limits[0], limits[1]);
}
double ClampMax(double value, Scalars limits) { return Bounded(value, -kInfinity, limits[0]); }
double ClampMin(double value, Scalars limits) { return Bounded(value, limits[0], kInfinity); }

double Round(double value, Scalars nearest) {
  // By the inverse, which loses less for steps such as 0.1.
  const double inverse = 1.0 / (nearest.empty() ? 1.0 : nearest[0]);
  return std::floor(value * inverse + 0.5) / inverse;
}

double DayOfMonth(double seconds, Scalars) {
  return OfDate(seconds,
                [](const Date& date) -> double { return static_cast<unsigned>(date.civil.day()); });
}
double DayOfWeek(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    return std::chrono::weekday(date.day).c_encoding();
  });
}
double DayOfYear(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    const auto first = std::chrono::sys_days(date.civil.year() / std::chrono::January / 1);
    return static_cast<double>((date.day - first).count() + 1);
  });
}
double DaysInMonth(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    const std::chrono::year_month_day_last last(date.civil.year(),
                                                std::chrono::month_day_last(date.civil.month()));
    return static_cast<unsigned>(last.day());
  });
}
double Hour(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    return static_cast<double>(date.second_of_day / 3600);
  });
}
double Minute(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    return static_cast<double>(date.second_of_day / 60 % 60);
  });
}
double Month(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    return static_cast<unsigned>(date.civil.month());
  });
}
double Year(double seconds, Scalars) {
  return OfDate(seconds, [](const Date& date) -> double {
    return static_cast<double>(static_cast<int>(date.civil.year()) + kYearsPerCycle * date.cycles);
  });
}

}  // namespace tocsin::promql
