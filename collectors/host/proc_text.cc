#include "collectors/host/proc_text.h"

#include <fmt/format.h>

#include <unistd.h>

#include "daemon/base/text.h"

namespace tocsin::collectors::host {

void ForEachLine(std::string_view text, const std::function<void(std::string_view)>& on_line) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    on_line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::vector<std::string_view> Fields(std::string_view line) {
  constexpr std::string_view kSpace = " \t";
  std::vector<std::string_view> fields;
  std::size_t begin = line.find_first_not_of(kSpace);
  while (begin != std::string_view::npos) {
    std::size_t end = line.find_first_of(kSpace, begin);
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kSpace, end);
  }
  return fields;
}

double FieldNumber(const std::vector<std::string_view>& fields, std::size_t index) {
  return index < fields.size() ? ParseDouble(fields[index]).value_or(0) : 0;
}

Error NotAsExpected(std::string_view file) {
  return {ErrorCode::kCorruption, fmt::format("{} is not as the kernel writes it", file)};
}

double TicksPerSecond() {
  long ticks = sysconf(_SC_CLK_TCK);
  return ticks > 0 ? static_cast<double>(ticks) : 100;
}

}  // namespace tocsin::collectors::host
