#pragma once

// Matchers as people write them: `severity="critical"`, `team=~"db|cache"`,
// `{a="b",c!~"d"}`; quotes may be left out around a plain value. Used by the
// configuration, the API's `filter` and the command line.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/matcher.h"

namespace tocsin::notify {

// One matcher. Errors: kInvalidArgument with what is wrong and where.
Result<model::Matcher> ParseMatcher(std::string_view text);

// One or more, separated by commas, with or without braces; "{}" is none.
Result<std::vector<model::Matcher>> ParseMatchers(std::string_view text);

// `{a="b",c=~"d"}`: how a route reads within a group key.
std::string MatchersText(const std::vector<model::Matcher>& matchers);

}  // namespace tocsin::notify
