#include "tests/support/fault_file_system.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <set>
#include <utility>

namespace tocsin::testing {
namespace {

Result<> ResultOf(DiskVerdict verdict, const std::string& path) {
  switch (verdict) {
    case DiskVerdict::kOk: return {};
    case DiskVerdict::kNotFound:
      return Error{ErrorCode::kNotFound, fmt::format("{}: No such file or directory", path)};
    case DiskVerdict::kDiskFull:
      return Error{ErrorCode::kIoError, fmt::format("{}: No space left on device", path)};
    case DiskVerdict::kIoError: break;
  }
  return Error{ErrorCode::kIoError, fmt::format("{}: Input/output error", path)};
}

FileStatus StatusOf(const FaultDisk& disk, const FaultDisk::File& file, const Clock& clock) {
  FileStatus status;
  status.device = 1;
  status.inode = file.inode;
  status.size_bytes = disk.Size(file);
  status.modified_at = clock.WallNow();
  return status;
}

class FaultFile : public RandomAccessFile {
 public:
  FaultFile(FaultDisk& disk, const Clock& clock, FaultDisk::FilePtr file, std::uint64_t epoch,
            std::string path)
      : disk_(disk), clock_(clock), file_(std::move(file)), epoch_(epoch), path_(std::move(path)) {}

  Result<std::string> ReadAt(std::int64_t offset, std::int64_t limit_bytes) override {
    std::string bytes;
    TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Read(*file_, epoch_, offset, limit_bytes, bytes), path_));
    return bytes;
  }
  Result<FileStatus> Status() override { return StatusOf(disk_, *file_, clock_); }

 private:
  FaultDisk& disk_;
  const Clock& clock_;
  FaultDisk::FilePtr file_;
  std::uint64_t epoch_;
  std::string path_;
};

}  // namespace

Result<std::string> FaultFileSystem::Read(const std::string& path, std::int64_t limit_bytes) {
  TOCSIN_ASSIGN_OR_RETURN(auto file, Open(path));
  TOCSIN_ASSIGN_OR_RETURN(auto bytes, file->ReadAt(0, limit_bytes + 1));
  if (static_cast<std::int64_t>(bytes.size()) <= limit_bytes) return bytes;
  return Error{ErrorCode::kResourceExhausted,
               fmt::format("{}: larger than {} bytes", path, limit_bytes)};
}

Result<> FaultFileSystem::WriteAtomically(const std::string& path, std::string_view content) {
  const std::uint64_t epoch = disk_.epoch();
  const std::string temporary = path + ".tmp";
  FaultDisk::FilePtr file;
  TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Create(temporary, epoch, file), temporary));
  const auto write = [&]() -> Result<> {
    TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Truncate(*file, epoch, 0), temporary));
    TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Write(*file, epoch, 0, content), temporary));
    TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Sync(*file, epoch), temporary));
    return ResultOf(disk_.Rename(temporary, path, epoch), path);
  };
  if (auto written = write(); !written.ok()) {
    (void)disk_.Remove(temporary, epoch);
    return written;
  }
  return ResultOf(disk_.SyncDirectory(epoch), path);
}

Result<std::unique_ptr<RandomAccessFile>> FaultFileSystem::Open(const std::string& path) {
  const std::uint64_t epoch = disk_.epoch();
  if (disk_.dead()) return ResultOf(DiskVerdict::kIoError, path).error();
  auto file = disk_.Find(path, epoch);
  if (file == nullptr) return ResultOf(DiskVerdict::kNotFound, path).error();
  return std::unique_ptr<RandomAccessFile>(
      std::make_unique<FaultFile>(disk_, clock_, std::move(file), epoch, path));
}

Result<FileStatus> FaultFileSystem::Status(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(auto file, Open(path));
  return file->Status();
}

Result<> FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::uint64_t epoch = disk_.epoch();
  TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Rename(from, to, epoch), from));
  return ResultOf(disk_.SyncDirectory(epoch), to);
}

Result<> FaultFileSystem::Remove(const std::string& path) {
  const std::uint64_t epoch = disk_.epoch();
  TOCSIN_RETURN_IF_ERROR(ResultOf(disk_.Remove(path, epoch), path));
  return ResultOf(disk_.SyncDirectory(epoch), path);
}

Result<> FaultFileSystem::MakeDirectory(const std::string& path) {
  return disk_.dead() ? ResultOf(DiskVerdict::kIoError, path) : Result<>();
}

Result<std::vector<std::string>> FaultFileSystem::Glob(const std::string& pattern) {
  std::vector<std::string> paths;
  for (const std::string& path : disk_.Paths()) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) paths.push_back(path);
  }
  return paths;
}

Result<std::vector<std::string>> FaultFileSystem::List(const std::string& path) {
  std::set<std::string> names;
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  for (const std::string& file : disk_.Paths()) {
    if (!file.starts_with(prefix)) continue;
    names.insert(file.substr(prefix.size(), file.find('/', prefix.size()) - prefix.size()));
  }
  if (names.empty()) return ResultOf(DiskVerdict::kNotFound, path).error();
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace tocsin::testing
