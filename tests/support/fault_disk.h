#pragma once

// A disk in memory that can lose power. Each file knows what it holds and what of
// that was synced; each directory entry (a creation, a rename, a removal) is
// durable only once the directory was synced. FaultVfs (SQLite) and
// FaultFileSystem (all other files) are two doors to one FaultDisk, so that a
// file can be renamed through one and opened through the other.
//
// Every write, sync, truncation, rename and removal is a durable operation with
// a number; a Plan can let one of them fail, or let the process or the power die
// right before it. After a death every open file is dead (kIoError) until the
// next Start(), so that what the dying program still does changes nothing.
//
// Thread-safe.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/mutex.h"

namespace tocsin::testing {

// How a disk call ended.
enum class DiskVerdict { kOk, kIoError, kDiskFull, kNotFound };

// What a power loss does to bytes that were written but not synced.
enum class UnsyncedBytes {
  kLost,  // All of them.
  kTorn,  // Each 512-byte sector on its own is kept or lost, as the seed says.
};

class FaultDisk {
 public:
  enum class Fault {
    kNone,
    kProcessDies,  // What was written stays; open handles die.
    kPowerFails,   // What was not synced is lost.
    kIoErrorOnce,  // This one operation fails.
    kFullFrom,     // This and all later writes that grow a file fail with ENOSPC.
    kIoErrorFrom,  // This and all later operations fail.
  };

  struct File {
    std::string content;
    std::string synced;
    std::uint64_t inode = 0;
  };
  using FilePtr = std::shared_ptr<File>;

  explicit FaultDisk(std::uint64_t seed = 1) : random_(seed) {}

  // Lets `fault` happen at the `operation`-th durable operation from now, from 1.
  void Plan(Fault fault, std::int64_t operation, UnsyncedBytes unsynced = UnsyncedBytes::kLost);
  void EndFault();  // The disk works again (kFullFrom, kIoErrorFrom).

  // Dies now.
  void Die(Fault how, UnsyncedBytes unsynced = UnsyncedBytes::kLost);
  // The machine is up again: files can be opened, nothing is planned.
  void Start();

  bool dead() const;
  std::int64_t operations() const;  // Durable ones since the last Plan() or Start().

  // --- What the doors use. `epoch` is the boot a handle was opened in. ---
  std::uint64_t epoch() const;
  bool Exists(const std::string& path) const;
  FilePtr Find(const std::string& path, std::uint64_t epoch) const;
  DiskVerdict Create(const std::string& path, std::uint64_t epoch, FilePtr& file);
  DiskVerdict Read(const File& file, std::uint64_t epoch, std::int64_t offset, std::int64_t size,
                   std::string& out) const;
  DiskVerdict Write(File& file, std::uint64_t epoch, std::int64_t offset, std::string_view bytes);
  DiskVerdict Truncate(File& file, std::uint64_t epoch, std::int64_t size);
  DiskVerdict Sync(File& file, std::uint64_t epoch);
  DiskVerdict SyncDirectory(std::uint64_t epoch);
  DiskVerdict Rename(const std::string& from, const std::string& to, std::uint64_t epoch);
  DiskVerdict Remove(const std::string& path, std::uint64_t epoch);
  std::int64_t Size(const File& file) const;
  std::vector<std::string> Paths() const;
  // Of the files in which `bytes` stand.
  std::vector<std::string> PathsWith(std::string_view bytes) const;

  // For corruption tests: changes bytes behind everybody's back, synced at once.
  void Overwrite(const std::string& path, std::int64_t offset, std::string_view bytes);

 private:
  DiskVerdict Begin(std::uint64_t epoch, bool grows) REQUIRES_LOCK(mutex_);
  void Kill(Fault how, UnsyncedBytes unsynced) REQUIRES_LOCK(mutex_);
  std::string AfterPowerLoss(const File& file, UnsyncedBytes unsynced) REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, FilePtr> entries_ GUARDED_BY(mutex_);
  std::map<std::string, FilePtr> durable_entries_ GUARDED_BY(mutex_);
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 1;
  std::uint64_t next_inode_ GUARDED_BY(mutex_) = 1;
  bool dead_ GUARDED_BY(mutex_) = false;
  Fault fault_ GUARDED_BY(mutex_) = Fault::kNone;
  UnsyncedBytes unsynced_ GUARDED_BY(mutex_) = UnsyncedBytes::kLost;
  std::int64_t fault_at_ GUARDED_BY(mutex_) = 0;
  std::int64_t operations_ GUARDED_BY(mutex_) = 0;
  std::mt19937_64 random_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::testing
