#include "tests/bench/conclusion.h"

#include <fstream>
#include <iostream>

namespace tocsin::bench {

int Conclude(const Result<Report>& report, const std::string& path) {
  if (!report.ok()) {
    std::cerr << report.error().message << "\n";
    return 1;
  }
  std::cout << report->table;
  std::ofstream file(path);
  file << report->json << '\n';
  file.close();
  if (file) return 0;
  std::cerr << path << ": cannot be written\n";
  return 1;
}

}  // namespace tocsin::bench
