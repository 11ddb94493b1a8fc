#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "collectors/host/proc_text.h"
#include "collectors/host/subjects.h"

namespace tocsin::collectors::host {
namespace {

using model::MetricBatch;
using model::MetricType;

// Mounts looked at, at most; containers can make many.
constexpr std::size_t kMaxMounts = 1'000;

// Not on a disk of this host, or not a place for files: node_exporter's default.
constexpr std::string_view kPseudoTypes[] = {
    "autofs",     "binfmt_misc", "bpf",       "cgroup",   "cgroup2",   "configfs",
    "debugfs",    "devpts",      "devtmpfs",  "fusectl",  "hugetlbfs", "iso9660",
    "mqueue",     "nsfs",        "overlay",   "proc",     "procfs",    "pstore",
    "rpc_pipefs", "securityfs",  "selinuxfs", "squashfs", "sysfs",     "tracefs"};

// Somebody else answers for these, and statvfs() hangs, uninterruptibly, for as
// long as he does not.
constexpr std::string_view kRemoteTypes[] = {
    "nfs",  "nfs4",  "cifs",   "smb3",   "smbfs", "ceph",  "glusterfs", "9p",    "afs",
    "coda", "ncpfs", "lustre", "beegfs", "gpfs",  "ocfs2", "gfs2",      "davfs", "virtiofs"};

bool IsRemote(std::string_view type) {
  // A FUSE file system is a process; fuseblk (NTFS on a disk) is one as well.
  return type.starts_with("fuse") || std::find(std::begin(kRemoteTypes), std::end(kRemoteTypes),
                                               type) != std::end(kRemoteTypes);
}

bool IsPseudo(std::string_view type) {
  return std::find(std::begin(kPseudoTypes), std::end(kPseudoTypes), type) !=
         std::end(kPseudoTypes);
}

// At or below one of the folders that node_exporter leaves out by default.
bool IsLeftOutPoint(std::string_view point) {
  constexpr std::string_view kAtOrBelow[] = {"/dev", "/proc", "/sys"};
  constexpr std::string_view kBelow[] = {"/run/credentials/", "/var/lib/docker/",
                                         "/var/lib/containers/storage/"};
  for (std::string_view folder : kAtOrBelow) {
    if (point.starts_with(folder) &&
        (point.size() == folder.size() || point[folder.size()] == '/')) {
      return true;
    }
  }
  return std::any_of(std::begin(kBelow), std::end(kBelow), [point](std::string_view folder) {
    return point.starts_with(folder) && point.size() > folder.size();
  });
}

// The kernel writes space, tab, line break and backslash as \040 and the like.
std::string Unescape(std::string_view text) {
  auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Mount {
  std::string device;
  std::string point;
  std::string type;
  bool read_only = false;
};

bool HasOption(std::string_view options, std::string_view option) {
  while (!options.empty()) {
    std::size_t comma = options.find(',');
    if (options.substr(0, comma) == option) return true;
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
  }
  return false;
}

// By mount point; of those mounted over each other the last, which is the one
// that a path leads to.
std::map<std::string, Mount> VisibleMounts(std::string_view text) {
  std::map<std::string, Mount> mounts;
  ForEachLine(text, [&mounts](std::string_view line) {
    std::vector<std::string_view> fields = Fields(line);
    if (fields.size() < 4) return;
    std::string point = Unescape(fields[1]);
    mounts[point] =
        Mount{Unescape(fields[0]), point, std::string(fields[2]), HasOption(fields[3], "ro")};
  });
  return mounts;
}

struct FilesystemFamilies {
  explicit FilesystemFamilies(MetricBatch& batch)
      : size(Declare(batch, "node_filesystem_size_bytes", "Size")),
        free(Declare(batch, "node_filesystem_free_bytes", "Free space")),
        avail(Declare(batch, "node_filesystem_avail_bytes",
                      "Free space that unprivileged users may take")),
        files(Declare(batch, "node_filesystem_files", "File nodes")),
        files_free(Declare(batch, "node_filesystem_files_free", "Free file nodes")),
        readonly(Declare(batch, "node_filesystem_readonly", "1 if mounted read-only")),
        error(Declare(batch, "node_filesystem_device_error", "1 if it could not be asked")) {}

  static MetricBatch::FamilyId Declare(MetricBatch& batch, std::string_view name,
                                       std::string_view help) {
    return batch.DeclareFamily(name, help, MetricType::kGauge, {"device", "fstype", "mountpoint"});
  }

  MetricBatch::FamilyId size, free, avail, files, files_free, readonly, error;
  std::size_t asked = 0;
};

void AddMount(const Mount& mount, const std::string& root, const FilesystemFamilies& families,
              MetricBatch& batch) {
  auto add = [&](MetricBatch::FamilyId family, double value) {
    batch.Add(family, {mount.device, mount.type, mount.point}, value);
  };
  std::string path = root == "/" ? mount.point : root + mount.point;
  struct statvfs space {};
  int failed = 0;
  do {
    failed = statvfs(path.c_str(), &space);
  } while (failed != 0 && errno == EINTR);
  add(families.error, failed != 0 ? 1 : 0);
  if (failed != 0) return;
  auto unit = static_cast<double>(space.f_frsize);
  add(families.size, static_cast<double>(space.f_blocks) * unit);
  add(families.free, static_cast<double>(space.f_bfree) * unit);
  add(families.avail, static_cast<double>(space.f_bavail) * unit);
  add(families.files, static_cast<double>(space.f_files));
  add(families.files_free, static_cast<double>(space.f_ffree));
  add(families.readonly, mount.read_only ? 1 : 0);
}

}  // namespace

Result<> CollectFilesystems(HostSources& sources, MetricBatch& batch) {
  // The mounts of the first process are the host's; this daemon may have a view
  // of its own (systemd's PrivateTmp and the like).
  auto text = sources.ReadProc("1/mounts");
  if (!text.ok()) text = sources.ReadProc("self/mounts");
  if (!text.ok()) return text.error();

  FilesystemFamilies families(batch);
  std::int64_t skipped = 0;
  for (const auto& [point, mount] : VisibleMounts(*text)) {
    if (IsPseudo(mount.type) || IsLeftOutPoint(point)) continue;
    if (IsRemote(mount.type) || families.asked >= kMaxMounts) {
      ++skipped;
    } else {
      AddMount(mount, sources.paths.root, families, batch);
      ++families.asked;
    }
  }
  batch.AddGauge("tocsin_host_filesystems_skipped",
                 "File systems not asked: over a network, in user space, or beyond the limit",
                 static_cast<double>(skipped));
  return {};
}

}  // namespace tocsin::collectors::host
