#pragma once

// One condition on a label: name = "value", !=, =~ or !~. Regular expressions
// are RE2's, anchored at both ends, and "." matches a line break (Prometheus 3).
// A missing label is an empty value. Immutable and thread-safe; cheap to copy.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"

namespace re2 {
class RE2;
}

namespace tocsin::model {

enum class MatchOp { kEqual, kNotEqual, kRegex, kNotRegex };

class Matcher {
 public:
  // Errors: kInvalidArgument, in Go's words but for long patterns, which are cut, for a
  // regular expression that Go's regexp would refuse or RE2 cannot hold.
  static Result<Matcher> Make(MatchOp op, std::string name, std::string value);

  MatchOp op() const { return op_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }

  bool Matches(std::string_view value) const;
  bool Matches(const Labels& labels) const { return Matches(labels.Get(name_)); }
  bool MatchesEmpty() const { return Matches(std::string_view()); }

  // For kRegex over an alternation of literals ("a|b|c", "(a|b)"): those, sorted; else empty.
  // An index can then look values up instead of testing each.
  const std::vector<std::string>& Literals() const;

  std::string Text() const;  // name="value"

  friend bool operator==(const Matcher& a, const Matcher& b) {
    return a.op_ == b.op_ && a.name_ == b.name_ && a.value_ == b.value_;
  }

 private:
  Matcher() = default;
  MatchOp op_ = MatchOp::kEqual;
  std::string name_;
  std::string value_;
  std::vector<std::string> alternatives_;  // Sorted; of a pattern of literals,
  std::shared_ptr<const re2::RE2> regex_;  // of any other.
};

bool MatchesAll(const std::vector<Matcher>& matchers, const Labels& labels);

std::string_view MatchOpText(MatchOp op);  // "=", "!=", "=~", "!~"

}  // namespace tocsin::model
