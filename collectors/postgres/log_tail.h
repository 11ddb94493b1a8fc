#pragma once

// Reads a growing log file from where it stopped: over a rotation it reads the old
// file to its end first, a truncated one from its start. Begins at the end of the
// file that is there first.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/file_system.h"

namespace tocsin::collectors::postgres {

// Not thread-safe.
class LogTail {
 public:
  explicit LogTail(FileSystem& files) : files_(files) {}

  struct Progress {
    std::int64_t read_bytes = 0;     // Of this call.
    std::int64_t skipped_bytes = 0;  // Given up because reading fell too far behind.
    std::int64_t lag_bytes = 0;      // Still unread.
  };

  // Reads what is new in `path`, in pieces, until all is read, kMostBytesPerRead is
  // reached, or `may_go_on` says no. `on_bytes` gets each piece; `on_break` is called
  // where the next piece does not continue the last.
  // Errors: those of FileSystem; what was read before stays read.
  Result<Progress> Read(const std::string& path,
                        const std::function<void(std::string_view)>& on_bytes,
                        const std::function<void()>& on_break,
                        const std::function<bool()>& may_go_on);

  // Begins anew at the end of the file at the next Read().
  void Restart();

  static constexpr std::int64_t kMostBytesPerRead = 64 << 20;
  static constexpr std::int64_t kBlockBytes = 256 << 10;
  static constexpr std::int64_t kMostLagBytes = std::int64_t{512} << 20;

 private:
  Result<> OpenAt(const std::string& path, bool at_end);
  // Reads the open file up to its present end; returns whether it got there.
  Result<bool> ReadOpen(Progress& progress, const std::function<void(std::string_view)>& on_bytes,
                        const std::function<void()>& on_break,
                        const std::function<bool()>& may_go_on);

  FileSystem& files_;
  std::unique_ptr<RandomAccessFile> file_;
  std::string path_;
  FileStatus identity_;
  std::int64_t offset_ = 0;
};

}  // namespace tocsin::collectors::postgres
