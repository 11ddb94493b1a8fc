#pragma once

// When people want quiet: Alertmanager's time intervals (mute_time_intervals and
// active_time_intervals of a route name them). A TimeInterval holds while every
// field that is given holds (times, weekdays, days of the month, months, years)
// in its location; the lists within a field are alternatives.
// https://prometheus.io/docs/alerting/latest/configuration/#time_interval
//
// Immutable after parsing; thread-safe to read.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin::notify {

// Both ends belong to it, but for minutes of the day, whose end is exclusive.
struct IntRange {
  int from = 0;
  int to = 0;
};

struct TimeInterval {
  std::vector<IntRange> minutes_of_day;  // 0 to 1440, end exclusive.
  std::vector<IntRange> weekdays;        // 0 is Sunday.
  std::vector<IntRange> days_of_month;   // 1 to 31, or -31 to -1 from the end.
  std::vector<IntRange> months;          // 1 to 12.
  std::vector<IntRange> years;
  std::string location = "UTC";  // IANA name, or "Local": the machine's zone.

  // Whether `time` lies within. A location whose zone data has gone missing
  // since the configuration was read counts as UTC.
  bool Contains(WallTime time) const;
};

// Intervals begin and end with a minute: that of `time`.
inline WallTime MinuteOf(WallTime time) { return std::chrono::floor<std::chrono::minutes>(time); }

// A name and its alternatives.
struct NamedTimeInterval {
  std::string name;
  std::vector<TimeInterval> intervals;

  bool Contains(WallTime time) const;
};

// "monday", "monday:friday". Errors: kInvalidArgument.
Result<IntRange> ParseWeekdays(std::string_view text);
// "1:5", "-3:-1", "15". Errors: kInvalidArgument.
Result<IntRange> ParseDaysOfMonth(std::string_view text);
// "may:august", "1:3", "december". Errors: kInvalidArgument.
Result<IntRange> ParseMonths(std::string_view text);
// "2020:2022", "2030". Errors: kInvalidArgument.
Result<IntRange> ParseYears(std::string_view text);
// "09:00" to "24:00", as minutes of the day. Errors: kInvalidArgument.
Result<int> ParseTimeOfDay(std::string_view text);
// Errors: kNotFound if the machine's zone data has no such location.
Result<> CheckLocation(const std::string& location);

// How the ranges read in a configuration file.
std::string WeekdaysText(IntRange range);
std::string NumbersText(IntRange range);
std::string TimeOfDayText(int minutes);

}  // namespace tocsin::notify
