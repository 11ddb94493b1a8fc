#include "collectors/postgres/log_tail.h"

#include <algorithm>

namespace tocsin::collectors::postgres {
namespace {

bool IsSameFile(const FileStatus& a, const FileStatus& b) {
  return a.device == b.device && a.inode == b.inode;
}

}  // namespace

void LogTail::Restart() {
  file_.reset();
  path_.clear();
}

Result<> LogTail::OpenAt(const std::string& path, bool at_end) {
  TOCSIN_ASSIGN_OR_RETURN(auto file, files_.Open(path));
  TOCSIN_ASSIGN_OR_RETURN(identity_, file->Status());
  file_ = std::move(file);
  path_ = path;
  offset_ = at_end ? identity_.size_bytes : 0;
  return {};
}

Result<LogTail::Progress> LogTail::Read(const std::string& path,
                                        const std::function<void(std::string_view)>& on_bytes,
                                        const std::function<void()>& on_break,
                                        const std::function<bool()>& may_go_on) {
  Progress progress;
  if (!file_) {
    TOCSIN_RETURN_IF_ERROR(OpenAt(path, /*at_end=*/true));
    on_break();
    return progress;
  }
  // Which file the path names is asked before the old one is read: what is written
  // there in between is then still read before it is left.
  TOCSIN_ASSIGN_OR_RETURN(const FileStatus named, files_.Status(path));
  TOCSIN_ASSIGN_OR_RETURN(const bool at_end, ReadOpen(progress, on_bytes, on_break, may_go_on));
  if (!IsSameFile(named, identity_)) {
    if (!at_end) {
      progress.lag_bytes += named.size_bytes;
      return progress;
    }
    TOCSIN_RETURN_IF_ERROR(OpenAt(path, /*at_end=*/false));
    on_break();
    TOCSIN_RETURN_IF_ERROR(ReadOpen(progress, on_bytes, on_break, may_go_on));
  }
  return progress;
}

Result<bool> LogTail::ReadOpen(Progress& progress,
                               const std::function<void(std::string_view)>& on_bytes,
                               const std::function<void()>& on_break,
                               const std::function<bool()>& may_go_on) {
  TOCSIN_ASSIGN_OR_RETURN(const FileStatus status, file_->Status());
  const std::int64_t size = status.size_bytes;
  if (size < offset_) {  // Truncated under our hands (copytruncate).
    offset_ = 0;
    on_break();
  }
  if (size - offset_ > kMostLagBytes) {
    progress.skipped_bytes += size - offset_;
    offset_ = size;
    on_break();
  }
  while (offset_ < size && progress.read_bytes < kMostBytesPerRead && may_go_on()) {
    TOCSIN_ASSIGN_OR_RETURN(const std::string block,
                            file_->ReadAt(offset_, std::min(kBlockBytes, size - offset_)));
    if (block.empty()) break;
    offset_ += static_cast<std::int64_t>(block.size());
    progress.read_bytes += static_cast<std::int64_t>(block.size());
    on_bytes(block);
  }
  progress.lag_bytes = size - offset_;
  return offset_ >= size;
}

}  // namespace tocsin::collectors::postgres
