#include "daemon/base/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

namespace tocsin {
namespace {

// From here on a double has more digits than it needs.
constexpr double kFirstInexact = 0x1p53;

// As Go: the digits that matter, then zeros ("1e20" is "100000000000000000000",
// 2^69 "590295810358705700000").
void AppendLarge(double value, std::string& out) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  const char* power = std::find(buffer.data(), end, 'e');
  int exponent = 0;
  std::from_chars(power + 2, end, exponent);  // After "e+".
  int digits = -1;
  for (const char* at = buffer.data(); at != power; ++at) {
    if (*at == '.') continue;
    out += *at;
    if (*at != '-') ++digits;
  }
  out.append(static_cast<std::size_t>(exponent - digits), '0');
}

// A number that is finite, in one of to_chars' forms.
void AppendDigits(double value, std::chars_format form, std::string& out) {
  std::array<char, 400> digits;  // The least double has 324 places.
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), value, form).ptr);
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y;
         });
}

struct DurationUnit {
  std::string_view name;
  std::int64_t millis;
};

// Largest first: the order in which a duration must name them.
constexpr std::array<DurationUnit, 7> kDurationUnits = {{{"y", 365LL * 24 * 3600 * 1000},
                                                         {"w", 7LL * 24 * 3600 * 1000},
                                                         {"d", 24LL * 3600 * 1000},
                                                         {"h", 3600LL * 1000},
                                                         {"m", 60LL * 1000},
                                                         {"s", 1000},
                                                         {"ms", 1}}};

Error NotADuration(std::string_view text) {
  return Error{ErrorCode::kInvalidArgument,
               "not a valid duration: \"" + std::string(text) +
                   "\" (write 15s, 1h30m or 250ms; units y w d h m s ms, largest first)"};
}

// Insertions, deletions, substitutions and swaps of neighbours that make `a` of `b`.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({substituted, above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

// Bytes of the UTF-8 sequence at the start of `text`, 0 if it is not valid.
std::size_t Utf8SequenceBytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t size = 0;
  std::uint32_t rune = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
    rune = lead & 0x1F;
  } else if ((lead & 0xF0) == 0xE0) {
    size = 3;
    rune = lead & 0x0F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    rune = lead & 0x07;
  } else {
    return 0;
  }
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    rune = (rune << 6) | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && rune < 0x800) || (size == 4 && rune < 0x10000);
  const bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
  return overlong || surrogate || rune > 0x10FFFF ? 0 : size;
}

}  // namespace

std::optional<double> ParseDouble(std::string_view text) {
  std::string_view digits = text;
  bool negative = false;
  if (!digits.empty() && (digits.front() == '+' || digits.front() == '-')) {
    negative = digits.front() == '-';
    digits.remove_prefix(1);
  }
  if (EqualsIgnoringCase(digits, "inf") || EqualsIgnoringCase(digits, "infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return negative ? -infinity : infinity;
  }
  if (EqualsIgnoringCase(digits, "nan")) return std::numeric_limits<double>::quiet_NaN();
  if (digits.empty() || !((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.')) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too large is infinite, too small is zero, as strtod has it.
    const bool tiny = digits.find("e-") != digits.npos || digits.find("E-") != digits.npos ||
                      digits.substr(0, 2) == "0.";
    value = tiny ? 0 : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::optional<std::int64_t> ParseInt(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void AppendPlainDouble(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::fabs(value) >= kFirstInexact) {
    AppendLarge(value, out);
  } else {
    AppendDigits(value, std::chars_format::fixed, out);
  }
}

void AppendDouble(double value, std::string& out) {
  const double magnitude = std::fabs(value);
  const bool tiny = magnitude > 0 && magnitude < 1e-6;
  if (!tiny && !(magnitude >= 1e21 && std::isfinite(value))) return AppendPlainDouble(value, out);
  AppendDigits(value, std::chars_format::scientific, out);
}

std::string FormatDouble(double value) {
  std::string out;
  AppendDouble(value, out);
  return out;
}

Result<Millis> ParseDuration(std::string_view text) {
  if (text == "0") return Millis(0);
  std::string_view rest = text;
  std::size_t next_unit = 0;
  std::int64_t total = 0;
  if (rest.empty()) return NotADuration(text);
  while (!rest.empty()) {
    std::int64_t amount = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), amount);
    if (error != std::errc() || rest.front() == '-') return NotADuration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name = rest.substr(0, letters);
    std::size_t unit = next_unit;
    while (unit < kDurationUnits.size() && kDurationUnits[unit].name != name) ++unit;
    if (unit == kDurationUnits.size()) return NotADuration(text);
    std::int64_t millis = 0;
    if (__builtin_mul_overflow(amount, kDurationUnits[unit].millis, &millis) ||
        __builtin_add_overflow(total, millis, &total) ||
        total > std::numeric_limits<std::int64_t>::max() / 1'000'000) {
      return Error{ErrorCode::kInvalidArgument, "duration out of range: " + std::string(text)};
    }
    next_unit = unit + 1;
    rest.remove_prefix(letters);
  }
  return Millis(total);
}

std::string FormatDuration(Millis duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string out = rest < 0 ? "-" : "";
  rest = std::abs(rest);
  for (const DurationUnit& unit : kDurationUnits) {
    // Years and weeks only where they say it all: 90m is 1h30m, but 15d is not 2w1d.
    if ((unit.name == "y" || unit.name == "w") && rest % unit.millis != 0) continue;
    if (rest < unit.millis) continue;
    out += std::to_string(rest / unit.millis);
    out += unit.name;
    rest %= unit.millis;
  }
  return out;
}

Result<std::int64_t> ParseBytes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 15> kUnits = {{{"", 1},
                                                                           {"B", 1},
                                                                           {"kB", 1e3},
                                                                           {"KB", 1e3},
                                                                           {"MB", 1e6},
                                                                           {"GB", 1e9},
                                                                           {"TB", 1e12},
                                                                           {"KiB", 1024.0},
                                                                           {"kiB", 1024.0},
                                                                           {"MiB", 1048576.0},
                                                                           {"GiB", 1073741824.0},
                                                                           {"TiB", 1099511627776.0},
                                                                           {"K", 1024.0},
                                                                           {"M", 1048576.0},
                                                                           {"G", 1073741824.0}}};
  const std::size_t split = text.find_first_not_of("0123456789.");
  const std::string_view unit = split == text.npos ? std::string_view() : text.substr(split);
  const auto amount = ParseDouble(text.substr(0, split));
  for (const auto& [name, factor] : kUnits) {
    if (amount && unit == name && *amount * factor < 9e18) {
      return static_cast<std::int64_t>(*amount * factor);
    }
  }
  return Error{ErrorCode::kInvalidArgument, "not a valid size: \"" + std::string(text) +
                                                "\" (write 1GB, 512MiB or a number of bytes)"};
}

std::string FormatTime(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  std::array<char, 64> out;
  const int size = std::snprintf(
      out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return std::string(out.data(), static_cast<std::size_t>(size));
}

Result<WallTime> ParseTime(std::string_view text) {
  const Error error{ErrorCode::kInvalidArgument,
                    "not a valid time: \"" + std::string(text) +
                        "\" (write 2026-11-23T06:36:09Z, with a fraction or an offset if needed)"};
  const auto digits = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    if (at + count > text.size()) return std::nullopt;
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const auto year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  const auto hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' || *hour > 23 ||
      *minute > 59 || *second > 60) {
    return error;
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return error;
  std::size_t at = 19;
  int millis = 0;
  if (at < text.size() && text[at] == '.') {
    const std::size_t first = ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == first) return error;
    for (std::size_t i = 0; i < 3; ++i) {
      millis = millis * 10 + (first + i < at ? text[first + i] - '0' : 0);
    }
  }
  std::chrono::minutes offset{0};
  const std::string_view zone = text.substr(at);
  if (zone != "Z" && zone != "z") {
    const auto zone_hour = digits(at + 1, 2), zone_minute = digits(at + 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || !zone_hour ||
        !zone_minute) {
      return error;
    }
    offset = std::chrono::minutes(*zone_hour * 60 + *zone_minute) * (zone[0] == '-' ? -1 : 1);
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second) + Millis(millis) - offset;
}

std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> candidates) {
  const std::size_t tolerated = std::max<std::size_t>(1, word.size() / 3);
  std::optional<std::string_view> nearest;
  std::size_t best = tolerated + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string Suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  const auto nearest = NearestWord(word, candidates);
  return nearest ? " (did you mean \"" + std::string(*nearest) + "\"?)" : std::string();
}

std::string ValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = Utf8SequenceBytes(text);
    out.append(size == 0 ? "\xEF\xBF\xBD" : text.substr(0, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

std::string TruncateRunes(std::string_view text, std::size_t limit) {
  std::size_t runes = 0;
  std::size_t cut = 0;  // Where the last rune that leaves room for "…" ends.
  for (std::size_t at = 0; at < text.size();) {
    if (runes + 1 == limit) cut = at;
    if (runes == limit) return std::string(text.substr(0, cut)) + "…";
    const std::size_t size = Utf8SequenceBytes(text.substr(at));
    at += size == 0 ? 1 : size;
    ++runes;
  }
  return std::string(text);
}

bool IsIpAddress(const std::string& host) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace tocsin
