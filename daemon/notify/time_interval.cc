#include "daemon/notify/time_interval.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <exception>
#include <initializer_list>
#include <span>

#include "daemon/base/text.h"

namespace tocsin::notify {
namespace {

constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
constexpr int kMinutesPerDay = 24 * 60;
constexpr std::string_view kHere = "Local";

struct LocalTime {
  int minute = 0;
  int weekday = 0;
  int day = 0;
  int days_in_month = 0;
  int month = 0;
  int year = 0;
};

date::local_time<Millis> AsLocal(WallTime time) {
  return date::local_time<Millis>(time.time_since_epoch());
}

template <class Duration>
LocalTime Split(date::local_time<Duration> local) {
  const auto days = date::floor<date::days>(local);
  const date::year_month_day ymd(days);
  LocalTime time;
  time.minute = static_cast<int>(date::floor<std::chrono::minutes>(local - days).count());
  time.weekday = static_cast<int>(date::weekday(days).c_encoding());
  time.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  time.days_in_month = static_cast<int>(static_cast<unsigned>(
      date::year_month_day_last(ymd.year(), date::month_day_last(ymd.month())).day()));
  time.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  time.year = static_cast<int>(ymd.year());
  return time;
}

// By the machine's own zone: TZ, or /etc/localtime.
LocalTime LocalTimeHere(WallTime time) {
  const std::time_t seconds = date::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm here{};
  if (::localtime_r(&seconds, &here) == nullptr) return Split(AsLocal(time));
  return Split(AsLocal(time + std::chrono::seconds(here.tm_gmtoff)));
}

LocalTime LocalTimeIn(const std::string& location, WallTime time) {
  if (location == kHere) return LocalTimeHere(time);
  try {
    return Split(date::locate_zone(location)->to_local(time));
  } catch (const std::exception&) {
    return Split(AsLocal(time));
  }
}

bool Within(const std::vector<IntRange>& ranges, int value) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](IntRange range) {
           return range.from <= value && value <= range.to;
         });
}

bool WithinMinutes(const std::vector<IntRange>& ranges, int minute) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](IntRange range) {
           return range.from <= minute && minute < range.to;
         });
}

// Negative days count from the month's end; what lies outside the month is cut.
bool WithinDays(const std::vector<IntRange>& ranges, const LocalTime& time) {
  const auto day_of = [&](int day) {
    return std::clamp(day < 0 ? time.days_in_month + day + 1 : day, 1, time.days_in_month);
  };
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](IntRange range) {
           // A range that begins after the month's last day is not in this month.
           if (range.from > time.days_in_month) return false;
           return day_of(range.from) <= time.day && time.day <= day_of(range.to);
         });
}

std::string Lower(std::string_view text) {
  std::string lower(TrimSpace(text));
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

Error Invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// "a:b" or "a", each end read by `parse`.
template <class Parse>
Result<IntRange> ParseRange(std::string_view text, Parse parse) {
  const std::string lower = Lower(text);
  const std::size_t colon = lower.find(':');
  TOCSIN_ASSIGN_OR_RETURN(const int from, parse(lower.substr(0, colon)));
  if (colon == std::string::npos) return IntRange{from, from};
  TOCSIN_ASSIGN_OR_RETURN(const int to, parse(lower.substr(colon + 1)));
  return IntRange{from, to};
}

Result<IntRange> Ordered(Result<IntRange> range, std::string_view text) {
  if (range.ok() && range->from > range->to) {
    return Invalid(fmt::format("\"{}\" ends before it begins", text));
  }
  return range;
}

Result<int> WordOrNumber(const std::string& text, std::span<const std::string_view> words,
                         int first, std::string_view what) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<int>(found - words.begin()) + first;
  const auto number = ParseInt(text);
  const bool numbers = first == 1;  // Months may be numbers, weekdays may not.
  if (numbers && number && *number >= 1 && *number <= static_cast<std::int64_t>(words.size())) {
    return static_cast<int>(*number);
  }
  return Invalid(fmt::format("\"{}\" is not a {}{}", text, what, Suggestion(text, words)));
}

}  // namespace

bool TimeInterval::Contains(WallTime time) const {
  const LocalTime local = LocalTimeIn(location, time);
  return WithinMinutes(minutes_of_day, local.minute) && Within(weekdays, local.weekday) &&
         WithinDays(days_of_month, local) && Within(months, local.month) &&
         Within(years, local.year);
}

bool NamedTimeInterval::Contains(WallTime time) const {
  return std::any_of(intervals.begin(), intervals.end(),
                     [&](const TimeInterval& interval) { return interval.Contains(time); });
}

Result<IntRange> ParseWeekdays(std::string_view text) {
  return Ordered(ParseRange(text,
                            [](const std::string& word) {
                              return WordOrNumber(word, kWeekdays, 0, "weekday");
                            }),
                 text);
}

Result<IntRange> ParseMonths(std::string_view text) {
  return Ordered(
      ParseRange(text,
                 [](const std::string& word) { return WordOrNumber(word, kMonths, 1, "month"); }),
      text);
}

Result<IntRange> ParseDaysOfMonth(std::string_view text) {
  auto range = ParseRange(text, [](const std::string& word) -> Result<int> {
    const auto day = ParseInt(word);
    if (day && *day != 0 && *day >= -31 && *day <= 31) return static_cast<int>(*day);
    return Invalid(
        fmt::format("\"{}\" is not a day of the month: 1 to 31, or -31 to -1 from its end", word));
  });
  // 5:-1 is from the fifth to the last; -1:5 is nothing.
  if (range.ok() && range->from < 0 && range->to > 0) {
    return Invalid(
        fmt::format("\"{}\": an end counted from the start of the month needs a start "
                    "that is counted so too",
                    text));
  }
  if (range.ok() && (range->from > 0) == (range->to > 0)) return Ordered(std::move(range), text);
  return range;
}

Result<IntRange> ParseYears(std::string_view text) {
  return Ordered(ParseRange(text,
                            [](const std::string& word) -> Result<int> {
                              const auto year = ParseInt(word);
                              if (year && *year >= 1 && *year <= 9999)
                                return static_cast<int>(*year);
                              return Invalid(fmt::format("\"{}\" is not a year", word));
                            }),
                 text);
}

Result<int> ParseTimeOfDay(std::string_view text) {
  const auto bad = [&] {
    return Invalid(fmt::format("\"{}\" is not a time of day: expected 00:00 to 24:00", text));
  };
  if (text.size() != 5 || text[2] != ':') return bad();
  const auto hours = ParseInt(text.substr(0, 2));
  const auto minutes = ParseInt(text.substr(3));
  if (!hours || !minutes || *hours < 0 || *minutes < 0 || *minutes > 59) return bad();
  const std::int64_t total = *hours * 60 + *minutes;
  if (total > kMinutesPerDay) return bad();
  return static_cast<int>(total);
}

Result<> CheckLocation(const std::string& location) {
  if (location == kHere) return {};
  try {
    date::locate_zone(location);
    return {};
  } catch (const std::exception&) {
    return Error{ErrorCode::kNotFound, fmt::format("unknown time zone \"{}\"", location)};
  }
}

std::string WeekdaysText(IntRange range) {
  const auto word = [](int day) { return kWeekdays[static_cast<std::size_t>(day)]; };
  if (range.from == range.to) return std::string(word(range.from));
  return fmt::format("{}:{}", word(range.from), word(range.to));
}

std::string NumbersText(IntRange range) {
  if (range.from == range.to) return std::to_string(range.from);
  return fmt::format("{}:{}", range.from, range.to);
}

std::string TimeOfDayText(int minutes) {
  return fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
}

}  // namespace tocsin::notify
