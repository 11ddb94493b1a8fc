#pragma once

// A value that must not be seen: it has no formatter, no operator<< and no
// comparison, so that it reaches no log, error, label, answer or database by
// accident. Reveal() is called where the credential goes out, and only there.

#include <string>
#include <utility>

#include "daemon/base/result.h"

namespace tocsin {

class FileSystem;

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  // The content of a file without the line breaks at its end.
  // Errors: as FileSystem::Read; kInvalidArgument if that is nothing.
  static Result<Secret> FromFile(const std::string& path, FileSystem& files);

  bool empty() const { return value_.empty(); }
  const std::string& Reveal() const { return value_; }

  // For whoever is about to log in: one that came from a file becomes what that holds
  // now, so that a rotated credential needs no reload. As long as the file cannot be read
  // or is empty, which it may be while it is written, the secret stays as it is.
  void Renew(FileSystem& files);

 private:
  std::string value_;
  std::string path_;  // Empty: it came from no file.
};

}  // namespace tocsin
