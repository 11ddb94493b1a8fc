#pragma once

// TOCSIN_CHECK guards our own invariants and stays on in release: a broken one
// ends the process with the place and the expression. It never judges input.

namespace tocsin {

[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace tocsin

#define TOCSIN_CHECK(expression)                              \
  do {                                                        \
    if (!(expression)) [[unlikely]] {                         \
      ::tocsin::CheckFailed(__FILE__, __LINE__, #expression); \
    }                                                         \
  } while (false)
