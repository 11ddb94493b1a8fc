#pragma once

// Functions of one value (functions.h, ValueBody).

#include <span>

namespace tocsin::promql {

using Scalars = std::span<const double>;

double Abs(double value, Scalars);
double Acos(double value, Scalars);
double Acosh(double value, Scalars);
double Asin(double value, Scalars);
double Asinh(double value, Scalars);
double Atan(double value, Scalars);
double Atanh(double value, Scalars);
double Ceil(double value, Scalars);
double Clamp(double value, Scalars limits);     // (min, max)
double ClampMax(double value, Scalars limits);  // (max)
double ClampMin(double value, Scalars limits);  // (min)
double Cos(double value, Scalars);
double Cosh(double value, Scalars);
double Deg(double value, Scalars);
double Exp(double value, Scalars);
double Floor(double value, Scalars);
double Ln(double value, Scalars);
double Log10(double value, Scalars);
double Log2(double value, Scalars);
double Rad(double value, Scalars);
double Round(double value, Scalars nearest);  // (nearest = 1)
double Sgn(double value, Scalars);
double Sin(double value, Scalars);
double Sinh(double value, Scalars);
double Sqrt(double value, Scalars);
double Tan(double value, Scalars);
double Tanh(double value, Scalars);

// Of a time in seconds since 1970, in UTC.
double DayOfMonth(double seconds, Scalars);
double DayOfWeek(double seconds, Scalars);
double DayOfYear(double seconds, Scalars);
double DaysInMonth(double seconds, Scalars);
double Hour(double seconds, Scalars);
double Minute(double seconds, Scalars);
double Month(double seconds, Scalars);
double Year(double seconds, Scalars);

}  // namespace tocsin::promql
