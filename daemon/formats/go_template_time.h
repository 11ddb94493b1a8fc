#pragma once

// Go's time.Time and time.Duration as templates see them: their methods, and
// their text by Go's reference layouts ("2006-01-02 15:04:05"). Pure functions.

#include <chrono>
#include <string>
#include <string_view>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// `time` by a Go layout. Words and numbers of a layout that Go knows are replaced,
// all else stays as it is. Requires: kTime.
std::string GoTimeFormat(const GoValue& time, std::string_view layout);

// The other way round. What the layout leaves out is that of 0000-01-01 00:00:00 UTC.
// Errors: kInvalidArgument, in Go's words.
Result<GoValue> GoTimeParse(std::string_view layout, std::string_view text);

// Go's zero time, 0001-01-01 00:00:00 UTC: what "no time" prints as.
GoValue GoZeroTime();

// "2026-11-23 06:36:09.666 +0000 UTC": how Go prints a time.
std::string GoTimeText(const GoValue& time);

// "1h2m3.5s": how Go prints a duration.
std::string GoDurationText(std::chrono::nanoseconds duration);

// Format, Unix, UnixMilli, UTC, Local, Year, Month, Day, Hour, Minute, Second,
// Weekday, YearDay, Add, Sub, Before, After, Equal, IsZero, String.
const GoFunctions& GoTimeMethods();
// Hours, Minutes, Seconds, Milliseconds, Microseconds, Nanoseconds, String,
// Round, Truncate, Abs.
const GoFunctions& GoDurationMethods();

}  // namespace tocsin::formats
