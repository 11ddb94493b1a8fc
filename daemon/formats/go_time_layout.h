#pragma once

// The elements of Go's reference layouts ("2006-01-02 15:04:05"), for what prints
// by a layout and what reads by one. Internal.

#include <array>
#include <string_view>

namespace tocsin::formats {

inline constexpr std::array<std::string_view, 12> kGoMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
inline constexpr std::array<std::string_view, 7> kGoWeekdays = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

// All elements but fractions. Longer forms stand before those they begin with.
inline constexpr auto kGoLayoutWords = std::to_array<std::string_view>(
    {"January", "Jan",   "Monday", "Mon",       "MST",    "2006",    "002",   "01",        "02",
     "03",      "04",    "05",     "06",        "15",     "PM",      "pm",    "-07:00:00", "-07:00",
     "-070000", "-0700", "-07",    "Z07:00:00", "Z07:00", "Z070000", "Z0700", "Z07",       "__2",
     "_2006",   "_2",    "1",      "2",         "3",      "4",       "5"});

// The element that `layout` begins with; empty if it begins with plain text.
std::string_view FirstLayoutElement(std::string_view layout);

// Whether an element is a fraction of a second: ".000", ",999".
inline bool IsFraction(std::string_view element) {
  return element.size() > 1 && (element[0] == '.' || element[0] == ',');
}

}  // namespace tocsin::formats
