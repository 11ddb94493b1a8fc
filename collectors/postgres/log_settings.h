#pragma once

// Whether a server's log holds the duration of every statement. One that holds
// only the slow ones must not be used: a P95 over those would page for ever.

#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::collectors::postgres {

struct LogSettings {
  // A role's or a database's own value of a setting ("ALTER ROLE … SET …").
  struct Override {
    std::string owner;  // `role "app"`, `database "shop"`, or both.
    std::string name;
    std::string value;
    bool is_ours = false;  // It changes what our own session sees.
  };

  std::string log_min_duration_statement;  // As SHOW prints it: "0", "250ms", "-1".
  std::string log_duration;
  std::string log_statement;
  std::string log_min_messages;
  std::string lc_messages;
  std::string log_destination;
  std::string log_line_prefix;
  std::vector<Override> overrides;
};

// The settings that an override of may make the log incomplete.
bool DecidesCompleteness(const std::string& setting);

// OK if every statement's duration is logged in words that can be read. Errors:
// kInvalidArgument says why not, and what to set.
Result<> JudgeLogSettings(const LogSettings& settings);

}  // namespace tocsin::collectors::postgres
