#include "daemon/formats/go_template_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "daemon/formats/go_time_layout.h"

namespace tocsin::formats {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// A time taken apart in its own zone.
struct CivilTime {
  int year = 0;
  int month = 0;  // From 1.
  int day = 0;    // From 1.
  int hour = 0;
  int minute = 0;
  int second = 0;
  int milli = 0;
  int weekday = 0;   // 0 is Sunday.
  int year_day = 0;  // From 1.
  int offset_seconds = 0;
  std::string zone;
};

CivilTime Civil(const GoValue& time) {
  const auto local = time.AsTime() + time.UtcOffset();
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(local - day);
  CivilTime out;
  out.year = static_cast<int>(date.year());
  out.month = static_cast<int>(static_cast<unsigned>(date.month()));
  out.day = static_cast<int>(static_cast<unsigned>(date.day()));
  out.hour = static_cast<int>(clock.hours().count());
  out.minute = static_cast<int>(clock.minutes().count());
  out.second = static_cast<int>(clock.seconds().count());
  out.milli = static_cast<int>(clock.subseconds().count());
  out.weekday = static_cast<int>(std::chrono::weekday(day).c_encoding());
  const std::chrono::sys_days new_year(date.year() / std::chrono::January / 1);
  out.year_day = static_cast<int>((day - new_year).count()) + 1;
  out.offset_seconds = static_cast<int>(time.UtcOffset().count());
  out.zone = time.Zone();
  return out;
}

std::string OffsetText(const CivilTime& time, std::string_view form) {
  if (form[0] == 'Z' && time.offset_seconds == 0) return "Z";
  const int total = std::abs(time.offset_seconds);
  const char sign = time.offset_seconds < 0 ? '-' : '+';
  const int hours = total / 3600;
  const int minutes = total / 60 % 60;
  const std::string_view rest = form.substr(1);
  if (rest == "07") return fmt::format("{}{:02}", sign, hours);
  const std::string_view colon = rest.find(':') == std::string_view::npos ? "" : ":";
  std::string out = fmt::format("{}{:02}{}{:02}", sign, hours, colon, minutes);
  if (rest == "07:00:00" || rest == "070000") out += fmt::format("{}{:02}", colon, total % 60);
  return out;
}

using Element = std::string (*)(const CivilTime&, std::string_view form);

int TwelveHour(const CivilTime& time) { return time.hour % 12 == 0 ? 12 : time.hour % 12; }

constexpr std::array kLayoutElements = std::to_array<std::pair<std::string_view, Element>>({
    {"January",
     [](const CivilTime& t, std::string_view) -> std::string {
       return std::string(kGoMonths[static_cast<std::size_t>(t.month) - 1]);
     }},
    {"Jan",
     [](const CivilTime& t, std::string_view) -> std::string {
       return std::string(kGoMonths[static_cast<std::size_t>(t.month) - 1].substr(0, 3));
     }},
    {"Monday",
     [](const CivilTime& t, std::string_view)
         -> std::string { return std::string(kGoWeekdays[static_cast<std::size_t>(t.weekday)]); }},
    {"Mon",
     [](const CivilTime& t,
        std::string_view) -> std::
                              string {
                                return std::string(
                                    kGoWeekdays[static_cast<std::size_t>(t.weekday)].substr(0, 3));
                              }},
    {"MST", [](const CivilTime& t, std::string_view) -> std::string { return t.zone; }},
    {"2006", [](const CivilTime& t, std::string_view) { return fmt::format("{:04}", t.year); }},
    {"002", [](const CivilTime& t, std::string_view) { return fmt::format("{:03}", t.year_day); }},
    {"01", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.month); }},
    {"02", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.day); }},
    {"03",
     [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", TwelveHour(t)); }},
    {"04", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.minute); }},
    {"05", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.second); }},
    {"06", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.year % 100); }},
    {"15", [](const CivilTime& t, std::string_view) { return fmt::format("{:02}", t.hour); }},
    {"PM",
     [](const CivilTime& t, std::string_view) -> std::string { return t.hour < 12 ? "AM" : "PM"; }},
    {"pm",
     [](const CivilTime& t, std::string_view) -> std::string { return t.hour < 12 ? "am" : "pm"; }},
    {"-07:00:00", OffsetText},
    {"-07:00", OffsetText},
    {"-070000", OffsetText},
    {"-0700", OffsetText},
    {"-07", OffsetText},
    {"Z07:00:00", OffsetText},
    {"Z07:00", OffsetText},
    {"Z070000", OffsetText},
    {"Z0700", OffsetText},
    {"Z07", OffsetText},
    {"__2", [](const CivilTime& t, std::string_view) { return fmt::format("{:3}", t.year_day); }},
    {"_2006", [](const CivilTime& t, std::string_view) { return fmt::format("_{:04}", t.year); }},
    {"_2", [](const CivilTime& t, std::string_view) { return fmt::format("{:2}", t.day); }},
    {"1", [](const CivilTime& t, std::string_view) { return fmt::format("{}", t.month); }},
    {"2", [](const CivilTime& t, std::string_view) { return fmt::format("{}", t.day); }},
    {"3", [](const CivilTime& t, std::string_view) { return fmt::format("{}", TwelveHour(t)); }},
    {"4", [](const CivilTime& t, std::string_view) { return fmt::format("{}", t.minute); }},
    {"5", [](const CivilTime& t, std::string_view) { return fmt::format("{}", t.second); }},
});
static_assert(std::all_of(kGoLayoutWords.begin(), kGoLayoutWords.end(), [](std::string_view word) {
  return std::any_of(kLayoutElements.begin(), kLayoutElements.end(),
                     [word](const auto& element) { return element.first == word; });
}));

// A fraction of a second in as many places as `form` has; nines drop trailing zeros.
std::string FractionText(const CivilTime& time, std::string_view form) {
  std::string digits = fmt::format("{:03}000000", time.milli).substr(0, form.size() - 1);
  if (form[1] == '9') {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    if (digits.empty()) return {};
  }
  return form[0] + digits;
}

std::string ElementText(const CivilTime& time, std::string_view form) {
  if (IsFraction(form)) return FractionText(time, form);
  for (const auto& [known, element] : kLayoutElements) {
    if (known == form) return element(time, form);
  }
  return std::string(form);
}

GoFunction Method(std::vector<GoType> params,
                  std::function<Result<GoValue>(std::span<const GoValue>)> call) {
  return GoFunction{std::move(params), false, std::move(call)};
}

template <class F>
GoFunction CivilMethod(F part) {
  return Method({}, [part](std::span<const GoValue> args) -> Result<GoValue> {
    return part(Civil(args[0]));
  });
}

GoValue Moved(const GoValue& time, nanoseconds by) {
  return GoValue::Time(time.AsTime() + std::chrono::round<Millis>(by), time.UtcOffset(),
                       time.Zone());
}

GoFunctions MakeTimeMethods() {
  GoFunctions out;
  out["Format"] = Method({GoType::kString}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::String(GoTimeFormat(a[0], a[1].AsString()));
  });
  out["String"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::String(GoTimeText(a[0]));
  });
  out["Unix"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Int(std::chrono::floor<seconds>(a[0].AsTime()).time_since_epoch().count());
  });
  out["UnixMilli"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Int(ToUnixMillis(a[0].AsTime()));
  });
  out["UTC"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Time(a[0].AsTime());
  });
  out["Local"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> { return a[0]; });
  out["IsZero"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Bool(a[0].AsTime() == GoZeroTime().AsTime());
  });
  out["Year"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.year); });
  out["Month"] = CivilMethod([](const CivilTime& t) {
    return GoValue::String(std::string(kGoMonths[static_cast<std::size_t>(t.month) - 1]));
  });
  out["Day"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.day); });
  out["Hour"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.hour); });
  out["Minute"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.minute); });
  out["Second"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.second); });
  out["YearDay"] = CivilMethod([](const CivilTime& t) { return GoValue::Int(t.year_day); });
  out["Weekday"] = CivilMethod([](const CivilTime& t) {
    return GoValue::String(std::string(kGoWeekdays[static_cast<std::size_t>(t.weekday)]));
  });
  out["Add"] = Method({GoType::kDuration}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return Moved(a[0], a[1].AsDuration());
  });
  out["Sub"] = Method({GoType::kTime}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Duration(a[0].AsTime() - a[1].AsTime());
  });
  out["Before"] = Method({GoType::kTime}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Bool(a[0].AsTime() < a[1].AsTime());
  });
  out["After"] = Method({GoType::kTime}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Bool(a[0].AsTime() > a[1].AsTime());
  });
  out["Equal"] = Method({GoType::kTime}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Bool(a[0].AsTime() == a[1].AsTime());
  });
  return out;
}

GoFunction Unit(double unit_seconds) {
  return Method({}, [unit_seconds](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Float(ToSeconds(a[0].AsDuration()) / unit_seconds);
  });
}

GoFunction WholeUnits(std::int64_t unit_nanoseconds) {
  return Method({}, [unit_nanoseconds](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Int(a[0].AsDuration().count() / unit_nanoseconds);
  });
}

GoFunctions MakeDurationMethods() {
  GoFunctions out;
  out["Hours"] = Unit(3600);
  out["Minutes"] = Unit(60);
  out["Seconds"] = Unit(1);
  out["Milliseconds"] = WholeUnits(1'000'000);
  out["Microseconds"] = WholeUnits(1'000);
  out["Nanoseconds"] = WholeUnits(1);
  out["String"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::String(GoDurationText(a[0].AsDuration()));
  });
  out["Abs"] = Method({}, [](std::span<const GoValue> a) -> Result<GoValue> {
    return GoValue::Duration(std::chrono::abs(a[0].AsDuration()));
  });
  out["Truncate"] = Method({GoType::kDuration}, [](std::span<const GoValue> a) -> Result<GoValue> {
    const auto unit = a[1].AsDuration();
    if (unit.count() <= 0) return a[0];
    return GoValue::Duration(a[0].AsDuration() - a[0].AsDuration() % unit);
  });
  out["Round"] = Method({GoType::kDuration}, [](std::span<const GoValue> a) -> Result<GoValue> {
    const auto unit = a[1].AsDuration();
    if (unit.count() <= 0) return a[0];
    const auto rest = a[0].AsDuration() % unit;
    auto rounded = a[0].AsDuration() - rest;
    if (std::chrono::abs(rest) >= unit - std::chrono::abs(rest)) {
      rounded += rest.count() < 0 ? -unit : unit;
    }
    return GoValue::Duration(rounded);
  });
  return out;
}

}  // namespace

std::string GoTimeFormat(const GoValue& time, std::string_view layout) {
  const CivilTime civil = Civil(time);
  std::string out;
  while (!layout.empty()) {
    const std::string_view form = FirstLayoutElement(layout);
    out += form.empty() ? std::string(1, layout.front()) : ElementText(civil, form);
    layout.remove_prefix(form.empty() ? 1 : form.size());
  }
  return out;
}

GoValue GoZeroTime() {
  constexpr std::int64_t kFirstOfJanuaryOfYear1 = -62'135'596'800'000;
  return GoValue::Time(FromUnixMillis(kFirstOfJanuaryOfYear1));
}

std::string GoTimeText(const GoValue& time) {
  return GoTimeFormat(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

std::string GoDurationText(nanoseconds duration) {
  const bool negative = duration.count() < 0;
  std::uint64_t left = negative ? ~static_cast<std::uint64_t>(duration.count()) + 1
                                : static_cast<std::uint64_t>(duration.count());
  if (left == 0) return "0s";
  const auto fraction = [](std::uint64_t value, std::uint64_t unit) {
    std::string out = std::to_string(value / unit);
    std::string digits = std::to_string(value % unit + unit).substr(1);
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    return digits.empty() ? out : out + "." + digits;
  };
  std::string out = negative ? "-" : "";
  if (left < 1'000) return out + std::to_string(left) + "ns";
  if (left < 1'000'000) return out + fraction(left, 1'000) + "µs";
  if (left < 1'000'000'000) return out + fraction(left, 1'000'000) + "ms";
  const std::uint64_t whole = left / 1'000'000'000;
  if (whole >= 3600) out += std::to_string(whole / 3600) + "h";
  if (whole >= 60) out += std::to_string(whole / 60 % 60) + "m";
  return out + fraction(left % 60'000'000'000, 1'000'000'000) + "s";
}

const GoFunctions& GoTimeMethods() {
  static const GoFunctions kMethods = MakeTimeMethods();
  return kMethods;
}

const GoFunctions& GoDurationMethods() {
  static const GoFunctions kMethods = MakeDurationMethods();
  return kMethods;
}

}  // namespace tocsin::formats
