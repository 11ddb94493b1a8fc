#include "daemon/base/secret.h"

#include <algorithm>
#include <cstdint>

#include "daemon/base/file_system.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"
#include "daemon/base/text.h"

namespace tocsin {
namespace {

constexpr std::int64_t kMaxSecretBytes = 64 * 1024;

Result<std::string> ReadLine(const std::string& path, FileSystem& files) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string content, files.Read(path, kMaxSecretBytes));
  const std::string_view line = TrimSpace(content);
  if (line.empty()) return Error{ErrorCode::kInvalidArgument, path + ": is empty"};
  if (line.find_first_of("\r\n") != line.npos) {
    return Error{ErrorCode::kInvalidArgument, path + ": holds more than one line"};
  }
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (std::any_of(line.begin(), line.end(), is_control)) {
    return Error{ErrorCode::kInvalidArgument, path + ": holds control characters"};
  }
  return std::string(line);
}

// Whoever renews waits for nobody: what was a pipe when it was first read stays as it was.
Result<std::string> ReadAgain(const std::string& path, FileSystem& files) {
  TOCSIN_ASSIGN_OR_RETURN(const FileStatus status, files.Status(path));
  if (status.may_wait) return Error{ErrorCode::kInvalidArgument, path + ": is no regular file"};
  return ReadLine(path, files);
}

}  // namespace

struct Secret::File {
  explicit File(std::string where) : path(std::move(where)) {}

  // Takes what was read, if it was; returns whether that is news for the log.
  bool Take(const Result<std::string>& line, std::string& value) {
    MutexLock lock(mutex);
    if (line.ok()) last = *line;
    value = last;
    return std::exchange(failing, !line.ok()) == line.ok();
  }

  const std::string path;
  Mutex mutex;
  std::string last GUARDED_BY(mutex);
  bool failing GUARDED_BY(mutex) = false;
};

Result<Secret> Secret::FromFile(const std::string& path, FileSystem& files) {
  const auto line = ReadLine(path, files);
  if (!line.ok()) return line.error();
  Secret secret;
  secret.file_ = std::make_shared<File>(path);
  secret.file_->Take(line, secret.value_);
  return secret;
}

void Secret::Renew(FileSystem& files) {
  if (file_ == nullptr) return;
  const auto line = ReadAgain(file_->path, files);
  if (!file_->Take(line, value_)) return;
  if (line.ok()) {
    LogInfo("a credential's file can be read again", {{"file", file_->path}});
  } else {
    LogWarning("a credential's file cannot be read: what it held last is used",
               {{"file", file_->path}, {"error", line.error().message}});
  }
}

}  // namespace tocsin
