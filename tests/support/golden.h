#pragma once

// Expected texts that live in files a user could read. TOCSIN_REWRITE_GOLDEN=1
// writes what came instead of comparing; look at the difference before committing.

#include <string>

namespace tocsin::testing {

// Compares `actual` with the content of `path`; a failure shows both.
void ExpectGolden(const std::string& actual, const std::string& path);

}  // namespace tocsin::testing
