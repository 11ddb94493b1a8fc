#include "tests/demo/derive_rules.h"

#include <re2/re2.h>

namespace tocsin::demo {

std::string DeriveRules(std::string_view shipped) {
  std::string derived(shipped);
  RE2::GlobalReplace(&derived, R"((?m)^(\s+for: )(?:1m|2m|5m|10m)$)", R"(\13s)");
  RE2::GlobalReplace(&derived, R"(\[5m\])", "[20s]");
  return derived;
}

}  // namespace tocsin::demo
