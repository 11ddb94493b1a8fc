#pragma once

// A value that must not be seen: it has no formatter, no operator<< and no
// comparison, so that it reaches no log, error, label, answer or database by
// accident. Reveal() is called where the credential goes out, and only there.

#include <memory>
#include <string>
#include <utility>

#include "daemon/base/result.h"

namespace tocsin {

class FileSystem;

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  // The line that a file holds, without the space around it.
  // Errors: as FileSystem::Read; kInvalidArgument if that is nothing, or more than a line.
  static Result<Secret> FromFile(const std::string& path, FileSystem& files);

  bool empty() const { return value_.empty(); }
  const std::string& Reveal() const { return value_; }

  // For whoever is about to use it: one that came from a file becomes what that holds now,
  // so that a rotated credential needs no reload. As long as the file is none to read a
  // secret from, which it may be while it is written, the secret is what it or a copy of it
  // read last, and the log says so once. Copies may be renewed on several threads.
  void Renew(FileSystem& files);

 private:
  struct File;  // What a secret and its copies know of it.

  std::string value_;
  std::shared_ptr<File> file_;  // Null: it came from none.
};

}  // namespace tocsin
