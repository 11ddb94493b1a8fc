#include "tests/bench/collectors/process_numbers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string_view>

#include "daemon/base/text.h"

namespace tocsin::bench {
namespace {

std::string ReadProc(pid_t pid, std::string_view name) {
  std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "libssl.so.3" of "/usr/lib/x86_64-linux-gnu/libssl.so.3".
std::string FileName(const std::string& path) {
  return path.starts_with('/') ? path.substr(path.rfind('/') + 1) : std::string();
}

}  // namespace

double CpuSeconds(pid_t pid) {
  const std::string text = ReadProc(pid, "stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  double ticks = 0;
  for (int number = 3; number <= 15 && fields >> field; ++number) {  // proc(5): 14 and 15.
    if (number >= 14) ticks += ParseDouble(field).value_or(0);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double ResidentMegabytes(pid_t pid) {
  std::istringstream fields(ReadProc(pid, "statm"));
  double pages = 0;
  fields >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

Memory MemoryOf(pid_t pid) {
  Memory memory;
  std::istringstream lines(ReadProc(pid, "smaps"));
  std::string line;
  std::string file;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key.find('-') != std::string::npos && !key.ends_with(':')) {  // A mapping's first line.
      std::string skipped;
      std::string path;
      words >> skipped >> skipped >> skipped >> skipped >> path;
      file = FileName(path);
      continue;
    }
    double kilobytes = 0;
    if (key == "Pss:" && words >> kilobytes) {
      memory.proportional += kilobytes * 1024 / 1e6;
      memory.by_file[file] += kilobytes * 1024 / 1e6;
    } else if (key == "Anonymous:" && words >> kilobytes) {
      memory.anonymous += kilobytes * 1024 / 1e6;
    }
  }
  return memory;
}

}  // namespace tocsin::bench
