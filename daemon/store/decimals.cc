#include "daemon/store/decimals.h"

namespace tocsin::store {
namespace {

// Raises the exponent until value fits; it may need several.
bool RaiseExponent(double value, int& exponent) {
  std::int64_t unused = 0;
  for (int raised = exponent + 1; raised <= kMaxExponent; ++raised) {
    if (!DecimalOf(value, raised, unused)) continue;
    exponent = raised;
    return true;
  }
  return false;
}

// One pass with the exponent as it is; false if it was raised (start over) or
// there are too many patches (not decimals: `hopeless`).
bool TryDecimals(const double* values, std::size_t count, Decimals& out, bool& hopeless) {
  const std::size_t patch_limit = count / kSamplesPerPatch + 1;
  out.patch_count = 0;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!DecimalOf(values[i], out.exponent, out.integers[i])) {
      if (std::isfinite(values[i]) && RaiseExponent(values[i], out.exponent)) return false;
      if (out.patch_count == patch_limit) {
        hopeless = true;
        return false;
      }
      out.patched[out.patch_count++] = static_cast<std::uint8_t>(i);
      out.integers[i] = before;
    }
    before = out.integers[i];
  }
  return true;
}

}  // namespace

bool ToDecimals(const double* values, std::size_t count, Decimals& out) {
  bool hopeless = false;
  while (!hopeless) {  // At most kMaxExponent + 1 times: the exponent only grows.
    if (TryDecimals(values, count, out, hopeless)) return true;
  }
  return false;
}

}  // namespace tocsin::store
