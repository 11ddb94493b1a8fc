#include "daemon/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tocsin {

void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, expression);
  std::abort();
}

}  // namespace tocsin
