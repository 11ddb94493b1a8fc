#include "daemon/base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tocsin {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0750;
// A file is read in steps that grow: most are small, and room is zeroed before it is
// filled (the hundreds of files of /proc would cost a hundred times their reading).
constexpr std::int64_t kFirstReadBytes = 16 << 10;
constexpr std::int64_t kLargestReadBytes = 1 << 20;
constexpr int kMaxTemporaryNames = 100;

Error SystemError(int error, const std::string& path) {
  ErrorCode code = ErrorCode::kIoError;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::kNotFound;
  if (error == EACCES || error == EPERM || error == EROFS) code = ErrorCode::kPermissionDenied;
  return Error{code, fmt::format("{}: {}", path, std::strerror(error))};
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int Close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

Result<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return SystemError(errno, path);
  return Descriptor(fd);
}

FileStatus StatusOf(const struct stat& status) {
  FileStatus result;
  result.device = status.st_dev;
  result.inode = status.st_ino;
  result.size_bytes = status.st_size;
  result.modified_at =
      FromUnixMillis(std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1000000);
  result.is_directory = S_ISDIR(status.st_mode);
  result.may_wait = !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
  result.owner = status.st_uid;
  return result;
}

std::string ParentOf(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Makes creations, renames and removals within `directory` survive power loss.
Result<> SyncDirectory(const std::string& directory) {
  TOCSIN_ASSIGN_OR_RETURN(const Descriptor descriptor,
                          OpenDescriptor(directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(descriptor.get()) != 0) return SystemError(errno, directory);
  return {};
}

Result<> WriteWhole(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, path);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::int64_t NextStep(std::size_t have_bytes) {
  return std::clamp(static_cast<std::int64_t>(have_bytes), kFirstReadBytes, kLargestReadBytes);
}

// Reads at most `limit_bytes` from `offset`, less only at the end of the file.
Result<std::string> ReadFrom(int fd, std::int64_t offset, std::int64_t limit_bytes,
                             const std::string& path) {
  std::string bytes;
  while (static_cast<std::int64_t>(bytes.size()) < limit_bytes) {
    const std::size_t have = bytes.size();
    const std::int64_t want =
        std::min(NextStep(have), limit_bytes - static_cast<std::int64_t>(have));
    bytes.resize(have + static_cast<std::size_t>(want));
    const ssize_t got = ::pread(fd, bytes.data() + have, static_cast<std::size_t>(want),
                                offset + static_cast<std::int64_t>(have));
    const int error = errno;
    bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return SystemError(error, path);
    if (got == 0) break;
  }
  return bytes;
}

// A pipe or a file of /proc cannot be read at offsets or tells no size: read on.
Result<std::string> ReadStream(int fd, std::int64_t limit_bytes, const std::string& path) {
  std::string bytes;
  while (static_cast<std::int64_t>(bytes.size()) <= limit_bytes) {
    const std::size_t have = bytes.size();
    bytes.resize(have + static_cast<std::size_t>(std::min(
                            NextStep(have), limit_bytes + 1 - static_cast<std::int64_t>(have))));
    const ssize_t got = ::read(fd, bytes.data() + have, bytes.size() - have);
    const int error = errno;
    bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return SystemError(error, path);
    if (got == 0) return bytes;
    if (static_cast<std::int64_t>(bytes.size()) > limit_bytes) break;
  }
  return Error{ErrorCode::kResourceExhausted,
               fmt::format("{}: larger than {} bytes", path, limit_bytes)};
}

class PosixFile : public RandomAccessFile {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::string> ReadAt(std::int64_t offset, std::int64_t limit_bytes) override {
    return ReadFrom(descriptor_.get(), offset, limit_bytes, path_);
  }

  Result<FileStatus> Status() override {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) return SystemError(errno, path_);
    return StatusOf(status);
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

// A new file beside `path`, so that renaming it stays within the file system.
Result<std::pair<Descriptor, std::string>> CreateBeside(const std::string& path) {
  for (int attempt = 0; attempt < kMaxTemporaryNames; ++attempt) {
    std::string name = fmt::format("{}.{}-{}.tmp", path, ::getpid(), attempt);
    auto created = OpenDescriptor(name, O_WRONLY | O_CREAT | O_EXCL);
    if (created.ok()) return std::make_pair(std::move(created).value(), std::move(name));
    if (errno != EEXIST) return created.error();
  }
  return Error{ErrorCode::kIoError, fmt::format("{}: too many temporary files beside it", path)};
}

Result<> Replace(Descriptor& file, const std::string& temporary, const std::string& path,
                 std::string_view content) {
  TOCSIN_RETURN_IF_ERROR(WriteWhole(file.get(), content, temporary));
  // Who could read and write the one that is replaced can do so with this one.
  struct stat before {};
  if (::stat(path.c_str(), &before) == 0) {
    struct stat now {};
    if (::fstat(file.get(), &now) != 0) return SystemError(errno, temporary);
    const bool is_theirs = now.st_uid == before.st_uid && now.st_gid == before.st_gid;
    if (!is_theirs && ::fchown(file.get(), before.st_uid, before.st_gid) != 0) {
      return SystemError(errno, path);
    }
    if (::fchmod(file.get(), before.st_mode & 07777) != 0) return SystemError(errno, path);
  }
  if (::fsync(file.get()) != 0) return SystemError(errno, temporary);
  if (file.Close() != 0) return SystemError(errno, temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return SystemError(errno, path);
  return {};
}

}  // namespace

Result<std::string> PosixFileSystem::Read(const std::string& path, std::int64_t limit_bytes) {
  TOCSIN_ASSIGN_OR_RETURN(const Descriptor descriptor, OpenDescriptor(path, O_RDONLY));
  return ReadStream(descriptor.get(), limit_bytes, path);
}

Result<> PosixFileSystem::WriteAtomically(const std::string& link, std::string_view content) {
  // The file itself: to replace a link would leave what it leads to as it was.
  char* const resolved = ::realpath(link.c_str(), nullptr);
  const std::string path = resolved != nullptr ? resolved : link;
  std::free(resolved);
  TOCSIN_ASSIGN_OR_RETURN(auto created, CreateBeside(path));
  auto& [file, temporary] = created;
  if (auto replaced = Replace(file, temporary, path, content); !replaced.ok()) {
    ::unlink(temporary.c_str());
    return replaced;
  }
  return SyncDirectory(ParentOf(path));
}

Result<std::unique_ptr<RandomAccessFile>> PosixFileSystem::Open(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor(path, O_RDONLY));
  return std::unique_ptr<RandomAccessFile>(
      std::make_unique<PosixFile>(std::move(descriptor), path));
}

Result<FileStatus> PosixFileSystem::Status(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return SystemError(errno, path);
  return StatusOf(status);
}

Result<> PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return SystemError(errno, from + " -> " + to);
  TOCSIN_RETURN_IF_ERROR(SyncDirectory(ParentOf(to)));
  if (ParentOf(from) != ParentOf(to)) return SyncDirectory(ParentOf(from));
  return {};
}

Result<> PosixFileSystem::Remove(const std::string& path) {
  if (::remove(path.c_str()) != 0) return SystemError(errno, path);
  return SyncDirectory(ParentOf(path));
}

Result<> PosixFileSystem::MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return SyncDirectory(ParentOf(path));
  if (errno == EEXIST) {
    TOCSIN_ASSIGN_OR_RETURN(const FileStatus status, Status(path));
    if (status.is_directory) return {};
    return Error{ErrorCode::kIoError, fmt::format("{}: exists and is no directory", path)};
  }
  const std::string parent = ParentOf(path);
  if (errno != ENOENT || parent == path || parent == ".") return SystemError(errno, path);
  TOCSIN_RETURN_IF_ERROR(MakeDirectory(parent));
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return SystemError(errno, path);
  }
  return SyncDirectory(parent);
}

Result<std::vector<std::string>> PosixFileSystem::Glob(const std::string& pattern) {
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  const int error = errno;
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (code == 0 || code == GLOB_NOMATCH) return paths;
  if (code == GLOB_NOSPACE) return SystemError(ENOMEM, pattern);
  if (error == ENOENT || error == ENOTDIR) return std::vector<std::string>{};
  return SystemError(error, pattern);
}

Result<std::vector<std::string>> PosixFileSystem::List(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return SystemError(errno, path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(directory);
  if (error != 0) return SystemError(error, path);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tocsin
