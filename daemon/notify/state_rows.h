#pragma once

// Parts of rows that are JSON: a silence's matchers, a log entry's fingerprints.
// Errors of the readers: kCorruption. Internal.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/matcher.h"
#include "daemon/notify/notification_log.h"

namespace tocsin::notify {

std::string MatchersJson(const std::vector<model::Matcher>& matchers);
Result<std::vector<model::Matcher>> ParseMatchersJson(std::string_view json);

// [[fingerprint, hushed, taken], …]; without the last one it was taken.
std::string ToldJson(const LogEntry& entry);
Result<> ParseToldJson(std::string_view json, LogEntry& entry);

std::string FingerprintsJson(const std::set<std::uint64_t>& fingerprints);
Result<std::set<std::uint64_t>> ParseFingerprintsJson(std::string_view json);

}  // namespace tocsin::notify
