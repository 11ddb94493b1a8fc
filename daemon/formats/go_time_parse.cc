// Times read by Go's reference layouts.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "daemon/base/ascii.h"
#include "daemon/base/text.h"
#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/go_template_time.h"
#include "daemon/formats/go_time_layout.h"
#include "daemon/formats/letter_case.h"

namespace tocsin::formats {
namespace {

// What a text said, as far as it was read.
struct Parts {
  int year = 0;
  int month = 1;
  int day = 1;
  int year_day = 0;  // 0: not said.
  int hour = 0;
  int minute = 0;
  int second = 0;
  int milli = 0;
  bool afternoon = false;
  bool twelve_hours = false;
  int offset_seconds = 0;
  std::string zone;
};

bool TakeNumber(std::string_view& text, std::size_t least, std::size_t most, int& into) {
  std::size_t digits = 0;
  while (digits < most && digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits < least) return false;
  into = static_cast<int>(*ParseInt(text.substr(0, digits)));
  text.remove_prefix(digits);
  return true;
}

template <std::size_t kSize>
bool TakeName(std::string_view& text, const std::array<std::string_view, kSize>& names,
              bool is_short, int& index) {
  for (std::size_t i = 0; i < kSize; ++i) {
    const std::string_view name = is_short ? names[i].substr(0, 3) : names[i];
    if (LowerCase(text.substr(0, name.size())) != LowerCase(name)) continue;
    index = static_cast<int>(i);
    text.remove_prefix(name.size());
    return true;
  }
  return false;
}

// Go counts years of two digits from 1969.
bool TakeShortYear(std::string_view& text, Parts& parts) {
  if (!TakeNumber(text, 2, 2, parts.year)) return false;
  parts.year += parts.year >= 69 ? 1900 : 2000;
  return true;
}

bool TakeHalf(std::string_view& text, bool upper, Parts& parts) {
  const std::string_view half = text.substr(0, 2);
  if (half != (upper ? "PM" : "pm") && half != (upper ? "AM" : "am")) return false;
  parts.twelve_hours = true;
  parts.afternoon = half[0] == 'P' || half[0] == 'p';
  text.remove_prefix(2);
  return true;
}

// "UTC", "CET": a name whose offset nobody knows here counts as UTC.
bool TakeZoneName(std::string_view& text, Parts& parts) {
  std::size_t letters = 0;
  while (letters < text.size() && text[letters] >= 'A' && text[letters] <= 'Z') ++letters;
  if (letters < 3 || letters > 5) return false;
  parts.zone = text.substr(0, letters);
  text.remove_prefix(letters);
  return true;
}

// `form` is one of "-07:00", "Z0700" and the like.
bool TakeOffset(std::string_view& text, std::string_view form, Parts& parts) {
  if (form[0] == 'Z' && text.starts_with('Z')) {
    text.remove_prefix(1);
    parts.zone = "UTC";
    return true;
  }
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const bool colons = form.find(':') != form.npos;
  const auto digits = std::count_if(form.begin(), form.end(), IsDigit);
  int units[3] = {0, 0, 0};
  for (std::ptrdiff_t i = 0; i < digits / 2; ++i) {
    if (i > 0 && colons) {
      if (!text.starts_with(':')) return false;
      text.remove_prefix(1);
    }
    if (!TakeNumber(text, 2, 2, units[i])) return false;
  }
  if (units[0] > 24 || units[1] > 59 || units[2] > 59) return false;
  parts.offset_seconds = sign * (units[0] * 3600 + units[1] * 60 + units[2]);
  // Go knows no name for it and prints the offset in its place.
  parts.zone = parts.offset_seconds == 0
                   ? "UTC"
                   : fmt::format("{}{:02}{:02}", sign < 0 ? '-' : '+', units[0], units[1]);
  return true;
}

// Nanoseconds are read and cut to milliseconds.
bool TakeFraction(std::string_view& text, std::size_t least, Parts& parts) {
  if (text.empty() || (text[0] != '.' && text[0] != ',')) return false;
  std::size_t end = 1;
  while (end < text.size() && IsDigit(text[end])) ++end;
  if (end - 1 < least || end == 1) return false;
  std::string millis(text.substr(1, std::min<std::size_t>(end - 1, 3)));
  millis.resize(3, '0');
  parts.milli = static_cast<int>(*ParseInt(millis));
  text.remove_prefix(end);
  return true;
}

bool TakeSeconds(std::string_view& text, std::size_t least, std::string_view rest, Parts& parts) {
  if (!TakeNumber(text, least, 2, parts.second)) return false;
  // A fraction may follow although the layout has none.
  const bool fraction_follows = text.size() > 1 && (text[0] == '.' || text[0] == ',') &&
                                IsDigit(text[1]) && !IsFraction(FirstLayoutElement(rest));
  return !fraction_follows || TakeFraction(text, 1, parts);
}

void SkipSpaces(std::string_view& text, std::size_t most) {
  for (; most > 0 && text.starts_with(' '); --most) text.remove_prefix(1);
}

// Plain text of a layout; spaces stand for any number of them.
bool TakePlain(char c, std::string_view& text) {
  if (c == ' ') {
    if (!text.empty() && text[0] != ' ') return false;
    SkipSpaces(text, text.size());
    return true;
  }
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Takes from `text` what `element` stands for; `rest` is the layout behind it.
bool Take(std::string_view element, std::string_view rest, std::string_view& text, Parts& parts) {
  int ignored = 0;
  const std::size_t least = element.size() == 2 ? 2 : 1;  // "05" wants two digits, "5" one.
  if (IsFraction(element)) {
    const bool may_lack = element[1] == '9' && !text.starts_with(element[0]);
    return may_lack || TakeFraction(text, element[1] == '0' ? element.size() - 1 : 1, parts);
  }
  if (element == "January" || element == "Jan") {
    if (!TakeName(text, kGoMonths, element == "Jan", parts.month)) return false;
    ++parts.month;
    return true;
  }
  if (element == "Monday" || element == "Mon") {
    return TakeName(text, kGoWeekdays, element == "Mon", ignored);
  }
  if (element == "MST") return TakeZoneName(text, parts);
  if (element[0] == '-' || element[0] == 'Z') return TakeOffset(text, element, parts);
  if (element == "PM" || element == "pm") return TakeHalf(text, element == "PM", parts);
  if (element == "06") return TakeShortYear(text, parts);
  if (element == "2006") return TakeNumber(text, 4, 4, parts.year);
  if (element == "002") return TakeNumber(text, 3, 3, parts.year_day);
  if (element == "15") return TakeNumber(text, 1, 2, parts.hour);
  if (element == "_2006") return TakePlain('_', text) && TakeNumber(text, 4, 4, parts.year);
  if (element[0] == '_') {
    SkipSpaces(text, element.size() - 1);
    return element == "_2" ? TakeNumber(text, 1, 2, parts.day)
                           : TakeNumber(text, 1, 3, parts.year_day);
  }
  switch (element.back()) {
    case '1': return TakeNumber(text, least, 2, parts.month);
    case '2': return TakeNumber(text, least, 2, parts.day);
    case '3': return TakeNumber(text, least, 2, parts.hour);
    case '4': return TakeNumber(text, least, 2, parts.minute);
    default: return TakeSeconds(text, least, rest, parts);
  }
}

// What of it lies out of range; nothing if it is a time.
std::optional<std::string_view> Fault(const Parts& parts) {
  if (parts.month < 1 || parts.month > 12) return "month";
  if (parts.hour > (parts.twelve_hours ? 12 : 23)) return "hour";
  if (parts.minute > 59) return "minute";
  if (parts.second > 59) return "second";
  const std::chrono::year year(parts.year);
  const std::chrono::year_month_day date(year,
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day)));
  if (!date.ok()) return "day";
  if (parts.year_day > (year.is_leap() ? 366 : 365)) return "day-of-year";
  return std::nullopt;
}

GoValue TimeOf(const Parts& parts) {
  std::chrono::sys_days day(std::chrono::year_month_day(
      std::chrono::year(parts.year), std::chrono::month(static_cast<unsigned>(parts.month)),
      std::chrono::day(static_cast<unsigned>(parts.day))));
  if (parts.year_day > 0) {
    const std::chrono::sys_days new_year(std::chrono::year(parts.year) / std::chrono::January / 1);
    day = new_year + std::chrono::days(parts.year_day - 1);
  }
  int hour = parts.hour;
  if (parts.twelve_hours) hour = hour % 12 + (parts.afternoon ? 12 : 0);
  const std::chrono::seconds offset(parts.offset_seconds);
  const auto time = day + std::chrono::hours(hour) + std::chrono::minutes(parts.minute) +
                    std::chrono::seconds(parts.second) + Millis(parts.milli) - offset;
  return GoValue::Time(FromUnixMillis(time.time_since_epoch().count()), offset,
                       parts.zone.empty() ? "UTC" : parts.zone);
}

}  // namespace

Result<GoValue> GoTimeParse(std::string_view layout, std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return Error{ErrorCode::kInvalidArgument, "parsing time " + GoQuote(text) + why};
  };
  const auto mismatch = [&](std::string_view left, std::string_view element) {
    return bad(fmt::format(" as {}: cannot parse {} as {}", GoQuote(layout), GoQuote(left),
                           GoQuote(element)));
  };
  Parts parts;
  std::string_view left = text;
  for (std::string_view rest = layout; !rest.empty();) {
    const std::string_view element = FirstLayoutElement(rest);
    const std::string_view before = left;
    if (element.empty()) {
      if (!TakePlain(rest[0], left)) return mismatch(before, rest.substr(0, 1));
      rest.remove_prefix(rest[0] == ' ' ? std::min(rest.find_first_not_of(' '), rest.size()) : 1);
      continue;
    }
    rest.remove_prefix(element.size());
    if (!Take(element, rest, left, parts)) return mismatch(before, element);
  }
  if (!left.empty()) return bad(": extra text: " + GoQuote(left));
  if (const auto fault = Fault(parts)) return bad(fmt::format(": {} out of range", *fault));
  return TimeOf(parts);
}

}  // namespace tocsin::formats
