#pragma once

// What /proc tells of a process: memory in megabytes, CPU in seconds; 0 if it is gone.

#include <sys/types.h>

#include <map>
#include <string>

namespace tocsin::bench {

double CpuSeconds(pid_t pid);  // User and system, so far.
double ResidentMegabytes(pid_t pid);

struct Memory {
  double anonymous = 0;
  double proportional = 0;                // What is shared counts in parts.
  std::map<std::string, double> by_file;  // Proportional; "" is what no file backs.
};
Memory MemoryOf(pid_t pid);

}  // namespace tocsin::bench
