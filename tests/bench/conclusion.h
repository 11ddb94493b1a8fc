#pragma once

// The end of a bench that compares: what it measured, as a table for people and as JSON for
// programs, or what went wrong.

#include <string>

#include "daemon/base/result.h"

namespace tocsin::bench {

struct Report {
  std::string table;
  std::string json;
};

// Prints the table and writes the JSON to `path`. The program's exit status.
int Conclude(const Result<Report>& report, const std::string& path);

}  // namespace tocsin::bench
