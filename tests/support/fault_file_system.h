#pragma once

// FileSystem over a FaultDisk. Directories exist as soon as they are named; a
// file that is replaced or renamed is durable when the call returns, as
// PosixFileSystem promises, and each step of it is a durable operation that a
// plan can interrupt.

#include <string>

#include "daemon/base/file_system.h"
#include "tests/support/fault_disk.h"

namespace tocsin::testing {

// Thread-safe.
class FaultFileSystem : public FileSystem {
 public:
  // `clock` dates the files; both must outlive this.
  FaultFileSystem(FaultDisk& disk, const Clock& clock) : disk_(disk), clock_(clock) {}

  Result<std::string> Read(const std::string& path, std::int64_t limit_bytes) override;
  Result<> WriteAtomically(const std::string& path, std::string_view content) override;
  Result<std::unique_ptr<RandomAccessFile>> Open(const std::string& path) override;
  Result<FileStatus> Status(const std::string& path) override;
  Result<> Rename(const std::string& from, const std::string& to) override;
  Result<> Remove(const std::string& path) override;
  Result<> MakeDirectory(const std::string& path) override;
  Result<std::vector<std::string>> Glob(const std::string& pattern) override;
  Result<std::vector<std::string>> List(const std::string& path) override;

 private:
  FaultDisk& disk_;
  const Clock& clock_;
};

}  // namespace tocsin::testing
