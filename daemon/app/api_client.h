#pragma once

// Asks a running daemon's API, for the subcommands.

#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::app {

// GETs `url` + `path` with form parameters; returns the body of a 2xx answer.
// Errors: kUnavailable, kDeadlineExceeded; kInvalidArgument with the daemon's own
// words for another status.
Result<std::string> AskDaemon(const std::string& url, const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& params);

}  // namespace tocsin::app
