#pragma once

// Reading the kernel's small text files.

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::collectors::host {

// Calls `on_line` for each line, without its line break.
void ForEachLine(std::string_view text, const std::function<void(std::string_view)>& on_line);

// The words between spaces and tabs.
std::vector<std::string_view> Fields(std::string_view line);

// The number in `fields[index]`; 0 if it is absent or not a number, as for the
// columns that an older kernel does not have.
double FieldNumber(const std::vector<std::string_view>& fields, std::size_t index);

Error NotAsExpected(std::string_view file);

// Ticks per second of the times in procfs (USER_HZ).
double TicksPerSecond();

}  // namespace tocsin::collectors::host
