#pragma once

// The only way to files that are not SQLite's (those go through its VFS, see
// sqlite.h). Tests use an in-memory twin that loses what was not synced
// (tests/support/fault_file_system.h).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin {

struct FileStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;  // With device: tells a rotated file from a grown one.
  std::int64_t size_bytes = 0;
  WallTime modified_at{};
  bool is_directory = false;
  bool may_wait = false;    // A pipe, a socket or a device: opening it may wait for somebody.
  std::uint32_t owner = 0;  // The user's number.
};

// An open file read at any offset; keeps reading the same file after a rename.
// Not thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  // Reads up to `limit_bytes` from `offset`; less only at the end of the file.
  virtual Result<std::string> ReadAt(std::int64_t offset, std::int64_t limit_bytes) = 0;
  virtual Result<FileStatus> Status() = 0;
};

// Thread-safe. Errors: kNotFound, kPermissionDenied, kIoError; the message names the path.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Reads a whole file. Errors also: kResourceExhausted above `limit_bytes`.
  virtual Result<std::string> Read(const std::string& path,
                                   std::int64_t limit_bytes = kDefaultReadLimitBytes) = 0;

  // Replaces `path`, or the file that it links to, atomically with `content`; on return
  // it is on disk. Owner and mode are those of the file before; of a new one the mode
  // is 0600.
  virtual Result<> WriteAtomically(const std::string& path, std::string_view content) = 0;

  virtual Result<std::unique_ptr<RandomAccessFile>> Open(const std::string& path) = 0;
  virtual Result<FileStatus> Status(const std::string& path) = 0;

  // Renames durably, within one file system.
  virtual Result<> Rename(const std::string& from, const std::string& to) = 0;
  virtual Result<> Remove(const std::string& path) = 0;

  // Creates a directory and its parents with mode 0750; fine if it exists.
  virtual Result<> MakeDirectory(const std::string& path) = 0;

  // The paths that match a shell pattern, sorted; empty if none does.
  virtual Result<std::vector<std::string>> Glob(const std::string& pattern) = 0;

  // Names within a directory, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;

  static constexpr std::int64_t kDefaultReadLimitBytes = 64 << 20;
};

// The real disk.
class PosixFileSystem : public FileSystem {
 public:
  Result<std::string> Read(const std::string& path,
                           std::int64_t limit_bytes = kDefaultReadLimitBytes) override;
  Result<> WriteAtomically(const std::string& path, std::string_view content) override;
  Result<std::unique_ptr<RandomAccessFile>> Open(const std::string& path) override;
  Result<FileStatus> Status(const std::string& path) override;
  Result<> Rename(const std::string& from, const std::string& to) override;
  Result<> Remove(const std::string& path) override;
  Result<> MakeDirectory(const std::string& path) override;
  Result<std::vector<std::string>> Glob(const std::string& pattern) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
};

}  // namespace tocsin
