#pragma once

// Numbers as Go reads them: what Prometheus takes in its parameters, in PromQL and in
// YAML files. Pure functions; thread-safe.

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/base/result.h"

namespace tocsin {

// As strconv.ParseFloat: decimal, or hexadecimal with an exponent ("0x1p-2"), with
// underscores between digits; Inf, Infinity and NaN in any case.
// Errors: kInvalidArgument with Go's words: "invalid syntax", "value out of range".
Result<double> ParseGoFloat(std::string_view text);

// As strconv.ParseInt with base 0: with a sign, 0x, 0o, 0b or 0 (octal), and with
// underscores between digits. Errors: as ParseGoFloat.
Result<std::int64_t> ParseGoInt(std::string_view text);

// A plain (not quoted) YAML scalar as gopkg.in/yaml resolves it: "010" is 8, "1_000" is
// 1000, ".inf" is infinite. Nothing for what it calls text.
std::optional<double> ParseYamlNumber(std::string_view text);

}  // namespace tocsin
