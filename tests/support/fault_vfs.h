#pragma once

// SQLite over a FaultDisk: Database::Open({.path = …, .vfs = vfs.name()}).
// Unregisters itself when it goes; every database opened through it must be
// closed before.

#include <memory>
#include <string>

#include "tests/support/fault_disk.h"

namespace tocsin::testing {

class FaultVfs {
 public:
  // `disk` must outlive the VFS.
  explicit FaultVfs(FaultDisk& disk);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const;

  struct Rep;

 private:
  std::unique_ptr<Rep> rep_;
};

}  // namespace tocsin::testing
