#pragma once

// A value that must not be seen: it has no formatter, no operator<< and no
// comparison, so that it reaches no log, error, label, answer or database by
// accident. Reveal() is called where the credential goes out, and only there.

#include <string>
#include <utility>

namespace tocsin {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  bool empty() const { return value_.empty(); }
  const std::string& Reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace tocsin
