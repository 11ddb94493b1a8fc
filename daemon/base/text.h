#pragma once

// Text that users read and write: numbers, durations, sizes, suggestions. All
// parsing is strict (the whole text, checked ranges) and locale-free.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin {

// A decimal float, or NaN, Inf, +Inf, -Inf in any case; nothing else.
std::optional<double> ParseDouble(std::string_view text);
std::optional<std::int64_t> ParseInt(std::string_view text);

// The shortest text that reads back the same, as Prometheus prints values:
// "1", "0.5", "1e+21", "1e-07", "NaN", "+Inf", "-Inf".
std::string FormatDouble(double value);
void AppendDouble(double value, std::string& out);
// The same without an exponent: "1000000000000000000000", "0.0000001".
void AppendPlainDouble(double value, std::string& out);

// Prometheus durations: "15s", "1h30m", "250ms", "0"; units y w d h m s ms, falling.
// Errors: kInvalidArgument with what is allowed.
Result<Millis> ParseDuration(std::string_view text);

// "1h30m", "15s", "0s": the form Prometheus prints.
std::string FormatDuration(Millis duration);

// "1GB", "512MiB", "64kB", "1024": bytes; GB is 10^9, GiB is 2^30.
Result<std::int64_t> ParseBytes(std::string_view text);

// RFC 3339 in UTC with milliseconds: "2026-11-23T06:36:09.666Z".
std::string FormatTime(WallTime time);
// RFC 3339 with any fraction and offset. Errors: kInvalidArgument.
Result<WallTime> ParseTime(std::string_view text);

// The candidate nearest to `word` by edit distance, if near enough to be meant.
std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> candidates);

// ` (did you mean "x"?)`, or empty.
std::string Suggestion(std::string_view word, std::span<const std::string_view> candidates);

// `text` with bytes that are not valid UTF-8 replaced by U+FFFD.
std::string ValidUtf8(std::string_view text);

// `text` cut to at most `limit` code points, the last one "…" if something was cut.
std::string TruncateRunes(std::string_view text, std::size_t limit);

// Lower-case hex SHA-256 of `bytes`.
// Two lower-case digits a byte.
std::string HexText(std::string_view bytes);
std::string Sha256Hex(std::string_view bytes);

// The last 8 bytes of the MD5 of `bytes`, big-endian: what relabelling's hashmod counts by.
std::uint64_t Md5Low64(std::string_view bytes);

std::string_view TrimSpace(std::string_view text);

// Whether `host` is a numeric IPv4 or IPv6 address, without brackets.
bool IsIpAddress(const std::string& host);

}  // namespace tocsin
