#include "tests/support/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <new>
#include <vector>

namespace tocsin::testing {
namespace {

constexpr int kShmLocks = SQLITE_SHM_NLOCK;
constexpr int kMaxPath = 512;

// Locks and shared memory of one file among the connections of this process. A
// new boot of the disk makes a new one: the locks of the dead are gone.
struct SharedFile {
  Mutex mutex;
  int shared_holders = 0;
  const void* reserved = nullptr;
  const void* pending = nullptr;
  const void* exclusive = nullptr;
  std::vector<std::unique_ptr<std::vector<char>>> regions;
  std::array<int, kShmLocks> shm_shared{};
  std::array<const void*, kShmLocks> shm_exclusive{};
};

}  // namespace

struct FaultVfs::Rep {
  explicit Rep(FaultDisk& disk_in) : disk(disk_in) {}

  std::shared_ptr<SharedFile> SharedOf(const std::string& path, std::uint64_t epoch,
                                       std::uint64_t inode) {
    MutexLock lock(mutex);
    auto& shared = files[{path, epoch, inode}];
    if (shared == nullptr) shared = std::make_shared<SharedFile>();
    return shared;
  }

  FaultDisk& disk;
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;  // For randomness and time.
  Mutex mutex;
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, std::shared_ptr<SharedFile>> files
      GUARDED_BY(mutex);
};

namespace {

using Rep = FaultVfs::Rep;

// The C++ part of an open file.
struct OpenFile {
  Rep* rep = nullptr;
  FaultDisk::FilePtr file;
  std::uint64_t epoch = 0;
  std::string path;
  bool delete_on_close = false;
  int lock = SQLITE_LOCK_NONE;
  std::shared_ptr<SharedFile> shared;
  std::array<bool, kShmLocks> shm_shared{};
};

struct SqliteFile {
  sqlite3_file base;
  OpenFile* open;
};

OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<SqliteFile*>(file)->open; }

int CodeOf(DiskVerdict verdict, int io_error) {
  switch (verdict) {
    case DiskVerdict::kOk: return SQLITE_OK;
    case DiskVerdict::kDiskFull: return SQLITE_FULL;
    case DiskVerdict::kNotFound: return SQLITE_IOERR_DELETE_NOENT;
    case DiskVerdict::kIoError: return io_error;
  }
  return io_error;
}

void ReleaseShm(OpenFile& open) {
  MutexLock lock(open.shared->mutex);
  for (int i = 0; i < kShmLocks; ++i) {
    if (open.shm_shared[i]) --open.shared->shm_shared[i];
    open.shm_shared[i] = false;
    if (open.shared->shm_exclusive[i] == &open) open.shared->shm_exclusive[i] = nullptr;
  }
}

int Unlock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  MutexLock lock(open.shared->mutex);
  SharedFile& shared = *open.shared;
  if (level < SQLITE_LOCK_RESERVED) {
    if (shared.exclusive == &open) shared.exclusive = nullptr;
    if (shared.pending == &open) shared.pending = nullptr;
    if (shared.reserved == &open) shared.reserved = nullptr;
  }
  if (level == SQLITE_LOCK_NONE && open.lock >= SQLITE_LOCK_SHARED) --shared.shared_holders;
  open.lock = std::min(open.lock, level);
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  OpenFile* open = &Of(file);
  Unlock(file, SQLITE_LOCK_NONE);
  ReleaseShm(*open);
  if (open->delete_on_close) open->rep->disk.Remove(open->path, open->epoch);
  delete open;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* buffer, int size, sqlite3_int64 offset) {
  OpenFile& open = Of(file);
  std::string bytes;
  if (open.rep->disk.Read(*open.file, open.epoch, offset, size, bytes) != DiskVerdict::kOk) {
    return SQLITE_IOERR_READ;
  }
  std::memset(buffer, 0, static_cast<std::size_t>(size));
  std::memcpy(buffer, bytes.data(), bytes.size());
  return bytes.size() == static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* buffer, int size, sqlite3_int64 offset) {
  OpenFile& open = Of(file);
  const std::string_view bytes(static_cast<const char*>(buffer), static_cast<std::size_t>(size));
  return CodeOf(open.rep->disk.Write(*open.file, open.epoch, offset, bytes), SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& open = Of(file);
  return CodeOf(open.rep->disk.Truncate(*open.file, open.epoch, size), SQLITE_IOERR_TRUNCATE);
}

// As SQLite's own VFS: the first sync of a file that was created syncs its directory.
int Sync(sqlite3_file* file, int /*flags*/) {
  OpenFile& open = Of(file);
  const auto synced = open.rep->disk.Sync(*open.file, open.epoch);
  if (synced != DiskVerdict::kOk) return CodeOf(synced, SQLITE_IOERR_FSYNC);
  return CodeOf(open.rep->disk.SyncDirectory(open.epoch), SQLITE_IOERR_DIR_FSYNC);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  OpenFile& open = Of(file);
  *size = open.rep->disk.Size(*open.file);
  return SQLITE_OK;
}

int Lock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  if (open.lock >= level) return SQLITE_OK;
  MutexLock lock(open.shared->mutex);
  SharedFile& shared = *open.shared;
  const auto other = [&](const void* holder) { return holder != nullptr && holder != &open; };
  if (open.lock == SQLITE_LOCK_NONE) {
    if (other(shared.pending) || other(shared.exclusive)) return SQLITE_BUSY;
    ++shared.shared_holders;
    open.lock = SQLITE_LOCK_SHARED;
  }
  if (level >= SQLITE_LOCK_RESERVED) {
    if (other(shared.reserved) || other(shared.pending)) return SQLITE_BUSY;
    shared.reserved = &open;
    open.lock = SQLITE_LOCK_RESERVED;
  }
  if (level == SQLITE_LOCK_EXCLUSIVE) {
    shared.pending = &open;
    if (shared.shared_holders > 1) return SQLITE_BUSY;
    shared.exclusive = &open;
    open.lock = SQLITE_LOCK_EXCLUSIVE;
  }
  return SQLITE_OK;
}

int CheckReservedLock(sqlite3_file* file, int* reserved) {
  OpenFile& open = Of(file);
  MutexLock lock(open.shared->mutex);
  *reserved = open.shared->reserved != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int FileControl(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) {
  return SQLITE_NOTFOUND;
}
int SectorSize(sqlite3_file* /*file*/) { return 512; }
int DeviceCharacteristics(sqlite3_file* /*file*/) { return 0; }

int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  OpenFile& open = Of(file);
  MutexLock lock(open.shared->mutex);
  auto& regions = open.shared->regions;
  *memory = nullptr;
  if (static_cast<std::size_t>(region) >= regions.size()) {
    if (extend == 0) return SQLITE_OK;
    while (static_cast<std::size_t>(region) >= regions.size()) {
      regions.push_back(std::make_unique<std::vector<char>>(static_cast<std::size_t>(size)));
    }
  }
  *memory = regions[static_cast<std::size_t>(region)]->data();
  return SQLITE_OK;
}

int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  OpenFile& open = Of(file);
  MutexLock lock(open.shared->mutex);
  SharedFile& shared = *open.shared;
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  const bool unlock = (flags & SQLITE_SHM_UNLOCK) != 0;
  for (int i = offset; !unlock && i < offset + count; ++i) {
    const void* holder = shared.shm_exclusive[i];
    if (holder != nullptr && holder != &open) return SQLITE_BUSY;
    if (exclusive && shared.shm_shared[i] > (open.shm_shared[i] ? 1 : 0)) return SQLITE_BUSY;
  }
  for (int i = offset; i < offset + count; ++i) {
    if (exclusive) {
      shared.shm_exclusive[i] = unlock ? nullptr : &open;
    } else if (unlock == open.shm_shared[i]) {
      shared.shm_shared[i] += unlock ? -1 : 1;
      open.shm_shared[i] = !unlock;
    }
  }
  return SQLITE_OK;
}

void ShmBarrier(sqlite3_file* /*file*/) { std::atomic_thread_fence(std::memory_order_seq_cst); }

int ShmUnmap(sqlite3_file* file, int delete_flag) {
  OpenFile& open = Of(file);
  ReleaseShm(open);
  if (delete_flag != 0) {
    MutexLock lock(open.shared->mutex);
    open.shared->regions.clear();
  }
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     DeviceCharacteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

Rep& RepOf(sqlite3_vfs* vfs) { return *static_cast<Rep*>(vfs->pAppData); }

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  static std::atomic<int> next_temporary{1};
  Rep& rep = RepOf(vfs);
  file->pMethods = nullptr;
  const std::string path =
      name == nullptr ? "/temporary/" + std::to_string(next_temporary++) : std::string(name);
  const std::uint64_t epoch = rep.disk.epoch();
  FaultDisk::FilePtr found = rep.disk.Find(path, epoch);
  if (found == nullptr) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (rep.disk.Create(path, epoch, found) != DiskVerdict::kOk) return SQLITE_CANTOPEN;
  }
  auto* open = new OpenFile;
  open->rep = &rep;
  open->file = found;
  open->epoch = epoch;
  open->path = path;
  open->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  open->shared = rep.SharedOf(path, epoch, found->inode);
  reinterpret_cast<SqliteFile*>(file)->open = open;
  file->pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  Rep& rep = RepOf(vfs);
  const std::uint64_t epoch = rep.disk.epoch();
  const auto removed = rep.disk.Remove(name, epoch);
  if (removed != DiskVerdict::kOk) return CodeOf(removed, SQLITE_IOERR_DELETE);
  if (sync_directory == 0) return SQLITE_OK;
  return CodeOf(rep.disk.SyncDirectory(epoch), SQLITE_IOERR_DIR_FSYNC);
}

int Access(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* result) {
  *result = RepOf(vfs).disk.Exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length + 1);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs* vfs, int size, char* out) {
  sqlite3_vfs* real = RepOf(vfs).real;
  return real->xRandomness(real, size, out);
}
int Sleep(sqlite3_vfs* vfs, int microseconds) {
  sqlite3_vfs* real = RepOf(vfs).real;
  return real->xSleep(real, microseconds);
}
int CurrentTime(sqlite3_vfs* vfs, double* out) {
  sqlite3_vfs* real = RepOf(vfs).real;
  return real->xCurrentTime(real, out);
}
int GetLastError(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*out*/) { return 0; }

}  // namespace

FaultVfs::FaultVfs(FaultDisk& disk) : rep_(std::make_unique<Rep>(disk)) {
  static std::atomic<int> next{1};
  rep_->name = "fault-" + std::to_string(next++);
  rep_->real = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = rep_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(SqliteFile);
  vfs.mxPathname = kMaxPath;
  vfs.zName = rep_->name.c_str();
  vfs.pAppData = rep_.get();
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  vfs.xRandomness = Randomness;
  vfs.xSleep = Sleep;
  vfs.xCurrentTime = CurrentTime;
  vfs.xGetLastError = GetLastError;
  sqlite3_vfs_register(&vfs, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&rep_->vfs); }

const std::string& FaultVfs::name() const { return rep_->name; }

}  // namespace tocsin::testing
