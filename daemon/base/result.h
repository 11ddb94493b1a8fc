#pragma once

// Errors are values. A function that can fail returns Result<T>; the caller
// cannot ignore it. A message is lower case, has no full stop, and gains its
// context on the way up:
//   rules/postgresql.yaml:12: group "replication": unknown function "rat"
//
// Nothing here is thread-aware: a Result belongs to whoever holds it.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "daemon/base/check.h"

namespace tocsin {

enum class ErrorCode {
  kInvalidArgument,    // The input is wrong; the same call fails again.
  kNotFound,           // What was named does not exist.
  kPermissionDenied,   // Credentials or file permissions are not enough.
  kUnavailable,        // The peer refused or broke off; later may work.
  kDeadlineExceeded,   // The deadline passed first.
  kCancelled,          // The caller asked to stop.
  kResourceExhausted,  // A named limit was reached.
  kIoError,            // The operating system refused.
  kCorruption,         // Stored data is not what was written.
  kInternal,           // A fault of our own.
};

// The code's name in snake_case ("deadline_exceeded"): a bounded label value.
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // Returns the same error with "context: " before its message.
  Error WithContext(std::string_view context) const;
};

struct Ok {};

// Holds a T or an Error. Result<> (of Ok) is for calls that return nothing.
template <class T = Ok>
class [[nodiscard]] Result {
 public:
  Result() requires std::is_same_v<T, Ok> : state_(std::in_place_index<0>) {}
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Requires: ok().
  T& value() & {
    TOCSIN_CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    TOCSIN_CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    TOCSIN_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !ok().
  const Error& error() const {
    TOCSIN_CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace tocsin

// Returns the error of `expression` from the enclosing function, if it has one.
#define TOCSIN_RETURN_IF_ERROR(expression)                        \
  do {                                                            \
    if (auto tocsin_result = (expression); !tocsin_result.ok()) { \
      return tocsin_result.error();                               \
    }                                                             \
  } while (false)

#define TOCSIN_CONCAT_INNER(a, b) a##b
#define TOCSIN_CONCAT(a, b) TOCSIN_CONCAT_INNER(a, b)
#define TOCSIN_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) return result.error();                            \
  declaration = std::move(result).value()

// Declares or assigns from `expression`'s value, or returns its error:
//   TOCSIN_ASSIGN_OR_RETURN(auto text, files.Read(path));
#define TOCSIN_ASSIGN_OR_RETURN(declaration, expression) \
  TOCSIN_ASSIGN_OR_RETURN_IMPL(TOCSIN_CONCAT(tocsin_result_, __LINE__), declaration, expression)
