#include "tests/support/fault_disk.h"

#include <algorithm>
#include <set>

#include "daemon/base/check.h"

namespace tocsin::testing {
namespace {

constexpr std::size_t kSectorBytes = 512;

}  // namespace

void FaultDisk::Plan(Fault fault, std::int64_t operation, UnsyncedBytes unsynced) {
  MutexLock lock(mutex_);
  fault_ = fault;
  fault_at_ = operation;
  unsynced_ = unsynced;
  operations_ = 0;
}

void FaultDisk::EndFault() {
  MutexLock lock(mutex_);
  fault_ = Fault::kNone;
}

void FaultDisk::Die(Fault how, UnsyncedBytes unsynced) {
  MutexLock lock(mutex_);
  Kill(how, unsynced);
}

void FaultDisk::Start() {
  MutexLock lock(mutex_);
  dead_ = false;
  fault_ = Fault::kNone;
  operations_ = 0;
  ++epoch_;
}

bool FaultDisk::dead() const {
  MutexLock lock(mutex_);
  return dead_;
}

std::int64_t FaultDisk::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

std::uint64_t FaultDisk::epoch() const {
  MutexLock lock(mutex_);
  return epoch_;
}

void FaultDisk::Kill(Fault how, UnsyncedBytes unsynced) {
  if (dead_) return;
  dead_ = true;
  if (how != Fault::kPowerFails) return;
  entries_ = durable_entries_;
  std::set<FilePtr> files;
  for (const auto& [path, file] : entries_) files.insert(file);
  for (const FilePtr& file : files) {
    file->content = AfterPowerLoss(*file, unsynced);
    file->synced = file->content;
  }
}

std::string FaultDisk::AfterPowerLoss(const File& file, UnsyncedBytes unsynced) {
  if (unsynced == UnsyncedBytes::kLost) return file.synced;
  // The length may be the old or the new one; each sector is old or new.
  const bool new_length = random_() % 2 == 0;
  std::string after = file.synced;
  after.resize(new_length ? file.content.size() : file.synced.size());
  for (std::size_t at = 0; at < std::min(after.size(), file.content.size()); at += kSectorBytes) {
    if (random_() % 2 == 0) continue;
    const std::size_t size = std::min({kSectorBytes, after.size() - at, file.content.size() - at});
    after.replace(at, size, file.content, at, size);
  }
  return after;
}

// Every durable operation starts here.
DiskVerdict FaultDisk::Begin(std::uint64_t epoch, bool grows) {
  if (dead_ || epoch != epoch_) return DiskVerdict::kIoError;
  ++operations_;
  if (fault_ == Fault::kNone || operations_ < fault_at_) return DiskVerdict::kOk;
  switch (fault_) {
    case Fault::kNone: return DiskVerdict::kOk;
    case Fault::kProcessDies:
    case Fault::kPowerFails: Kill(fault_, unsynced_); return DiskVerdict::kIoError;
    case Fault::kIoErrorOnce: fault_ = Fault::kNone; return DiskVerdict::kIoError;
    case Fault::kFullFrom: return grows ? DiskVerdict::kDiskFull : DiskVerdict::kOk;
    case Fault::kIoErrorFrom: return DiskVerdict::kIoError;
  }
  return DiskVerdict::kOk;
}

bool FaultDisk::Exists(const std::string& path) const {
  MutexLock lock(mutex_);
  return entries_.contains(path);
}

FaultDisk::FilePtr FaultDisk::Find(const std::string& path, std::uint64_t epoch) const {
  MutexLock lock(mutex_);
  if (dead_ || epoch != epoch_) return nullptr;
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : found->second;
}

DiskVerdict FaultDisk::Create(const std::string& path, std::uint64_t epoch, FilePtr& file) {
  MutexLock lock(mutex_);
  if (dead_ || epoch != epoch_) return DiskVerdict::kIoError;
  FilePtr& entry = entries_[path];
  if (entry == nullptr) {
    entry = std::make_shared<File>();
    entry->inode = next_inode_++;
  }
  file = entry;
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Read(const File& file, std::uint64_t epoch, std::int64_t offset,
                            std::int64_t size, std::string& out) const {
  MutexLock lock(mutex_);
  out.clear();
  if (dead_ || epoch != epoch_) return DiskVerdict::kIoError;
  if (offset < static_cast<std::int64_t>(file.content.size())) {
    out = file.content.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  }
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Write(File& file, std::uint64_t epoch, std::int64_t offset,
                             std::string_view bytes) {
  MutexLock lock(mutex_);
  const std::size_t end = static_cast<std::size_t>(offset) + bytes.size();
  if (const auto begun = Begin(epoch, end > file.content.size()); begun != DiskVerdict::kOk) {
    return begun;
  }
  if (file.content.size() < end) file.content.resize(end);
  file.content.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Truncate(File& file, std::uint64_t epoch, std::int64_t size) {
  MutexLock lock(mutex_);
  if (const auto begun = Begin(epoch, false); begun != DiskVerdict::kOk) return begun;
  file.content.resize(static_cast<std::size_t>(size));
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Sync(File& file, std::uint64_t epoch) {
  MutexLock lock(mutex_);
  if (const auto begun = Begin(epoch, false); begun != DiskVerdict::kOk) return begun;
  file.synced = file.content;
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::SyncDirectory(std::uint64_t epoch) {
  MutexLock lock(mutex_);
  if (const auto begun = Begin(epoch, false); begun != DiskVerdict::kOk) return begun;
  durable_entries_ = entries_;
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Rename(const std::string& from, const std::string& to, std::uint64_t epoch) {
  MutexLock lock(mutex_);
  if (dead_ || epoch != epoch_) return DiskVerdict::kIoError;
  if (!entries_.contains(from)) return DiskVerdict::kNotFound;
  if (const auto begun = Begin(epoch, false); begun != DiskVerdict::kOk) return begun;
  entries_[to] = entries_[from];
  entries_.erase(from);
  return DiskVerdict::kOk;
}

DiskVerdict FaultDisk::Remove(const std::string& path, std::uint64_t epoch) {
  MutexLock lock(mutex_);
  if (dead_ || epoch != epoch_) return DiskVerdict::kIoError;
  if (!entries_.contains(path)) return DiskVerdict::kNotFound;
  if (const auto begun = Begin(epoch, false); begun != DiskVerdict::kOk) return begun;
  entries_.erase(path);
  return DiskVerdict::kOk;
}

std::int64_t FaultDisk::Size(const File& file) const {
  MutexLock lock(mutex_);
  return static_cast<std::int64_t>(file.content.size());
}

std::vector<std::string> FaultDisk::Paths() const {
  MutexLock lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : entries_) paths.push_back(path);
  return paths;
}

std::vector<std::string> FaultDisk::PathsWith(std::string_view bytes) const {
  MutexLock lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : entries_) {
    if (file->content.find(bytes) != std::string::npos) paths.push_back(path);
  }
  return paths;
}

void FaultDisk::Overwrite(const std::string& path, std::int64_t offset, std::string_view bytes) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(path);
  TOCSIN_CHECK(found != entries_.end());
  for (std::string* content : {&found->second->content, &found->second->synced}) {
    const auto at = static_cast<std::size_t>(offset);
    if (content->size() < at + bytes.size()) continue;
    content->replace(at, bytes.size(), bytes);
  }
}

}  // namespace tocsin::testing
