#include "daemon/app/host_checks.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/base/text.h"

namespace tocsin::app {
namespace {

using collectors::Finding;
using collectors::Severity;
using Findings = std::vector<Finding>;

constexpr const char* kDaemonUser = "tocsin";
// Logs, databases and their journals, the API's connections and listeners.
constexpr std::size_t kOwnDescriptors = 128;
constexpr std::size_t kDescriptorsPerTarget = 4;
constexpr double kAlmostFullShare = 0.05;
constexpr std::int64_t kLeastFreeBytes = 100 << 20;

std::string ParentOf(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string Bytes(double count) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (count >= 1000 && unit + 1 < std::size(kUnits)) {
    count /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", count, unit == 0 ? 0 : 1, kUnits[unit]);
}

// Whether the user the unit runs as could write there; the asker may be root.
bool DaemonMayWrite(const struct stat& folder) {
  const passwd* user = getpwnam(kDaemonUser);
  if (geteuid() != 0 || user == nullptr) return true;  // access() has told.
  if (folder.st_uid == user->pw_uid) return (folder.st_mode & S_IWUSR) != 0;
  if (folder.st_gid == user->pw_gid) return (folder.st_mode & S_IWGRP) != 0;
  return (folder.st_mode & S_IWOTH) != 0;
}

void CheckFree(const config::Config& config, const std::string& folder, std::int64_t used,
               Findings& findings) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0 || disk.f_blocks == 0) return;
  const double block = static_cast<double>(disk.f_frsize);
  const double free = static_cast<double>(disk.f_bavail) * block;
  const double total = static_cast<double>(disk.f_blocks) * block;
  const double wanted =
      std::max<double>(static_cast<double>(config.store.max_size_bytes - used), kLeastFreeBytes);
  if (config.store.max_size_bytes > 0 && free < wanted) {
    findings.push_back({Severity::kWarning, "free space",
                        fmt::format("{} are free in {}, but storage.max_size may take {} more",
                                    Bytes(free), folder, Bytes(wanted)),
                        "a smaller storage.max_size, or another storage.path"});
  } else if (free < total * kAlmostFullShare || free < kLeastFreeBytes) {
    findings.push_back(
        {Severity::kWarning, "free space",
         fmt::format("only {} of {} are free in {}", Bytes(free), Bytes(total), folder),
         "df -h " + folder + ", and make room or set another storage.path"});
  }
}

std::vector<std::string> UnitFiles(FileSystem& files) {
  std::vector<std::string> found;
  for (const char* folder :
       {"/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"}) {
    const std::string path = std::string(folder) + "/tocsin.service";
    if (files.Status(path).ok()) found.push_back(path);
  }
  return found;
}

}  // namespace

Findings CheckStorage(const config::Config& config, FileSystem& files) {
  Findings findings;
  const std::string& path = config.store.path;
  const std::string make =
      fmt::format("sudo install -d -o {0} -g {0} -m 0750 {1}", kDaemonUser, path);
  struct stat folder {};
  if (stat(path.c_str(), &folder) != 0) {
    // The daemon makes it, if it may.
    std::string parent = ParentOf(path);
    while (parent != "/" && access(parent.c_str(), F_OK) != 0) parent = ParentOf(parent);
    if (access(parent.c_str(), W_OK | X_OK) != 0) {
      findings.push_back(
          {Severity::kError, "folder", path + ": does not exist and cannot be made here", make});
    }
    CheckFree(config, parent, 0, findings);
    return findings;
  }
  if (!S_ISDIR(folder.st_mode)) {
    findings.push_back({Severity::kError, "folder", path + ": is not a folder", make});
    return findings;
  }
  if (access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    findings.push_back({Severity::kError, "folder", path + ": " + std::strerror(errno),
                        fmt::format("sudo chown -R {0}:{0} {1}", kDaemonUser, path)});
    return findings;
  }
  if (!DaemonMayWrite(folder)) {
    findings.push_back({Severity::kError, "folder",
                        fmt::format("{}: user {} may not write there", path, kDaemonUser),
                        fmt::format("sudo chown -R {0}:{0} {1}", kDaemonUser, path)});
  }
  const auto history = files.Status(path + "/history.db");
  CheckFree(config, path, history.ok() ? history->size_bytes : 0, findings);
  const auto damaged = files.Glob(path + "/*.damaged-*");
  if (damaged.ok() && !damaged->empty()) {
    findings.push_back(
        {Severity::kWarning, "damaged files",
         fmt::format("{} set aside, the first {}", damaged->size(), damaged->front()),
         "look at the disk, then remove them"});
  }
  return findings;
}

Findings CheckReceivers(const config::Config& config) {
  Findings findings;
  const bool tells = config.notify != nullptr &&
                     std::any_of(config.notify->receivers.begin(), config.notify->receivers.end(),
                                 [](const notify::ReceiverConfig& receiver) {
                                   return !receiver.integrations.empty();
                                 });
  if (!tells && config.push.alertmanagers.empty()) {
    findings.push_back({Severity::kWarning, "receivers", "no alert is told to anybody",
                        "notify: { slack: { webhook_url_file: … }, pagerduty: { routing_key_file: "
                        "… } } in the configuration; then tocsin notify test RECEIVER"});
    return findings;
  }
  if (config.notify == nullptr || !config.notify->heartbeat) {
    findings.push_back({Severity::kNote, "heartbeat",
                        "nobody would notice that this daemon, or its host, is gone",
                        "notify: { heartbeat: { url: …, every: 1m } } in the configuration, with a "
                        "service that pages when it stops"});
  }
  return findings;
}

Findings CheckClock() {
  timex state{};
  if (adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0) return {};
  return {{Severity::kWarning, "synchronisation",
           "the kernel's clock is not synchronised: times of alerts and samples may be wrong",
           "sudo timedatectl set-ntp true"}};
}

Findings CheckDescriptors(const config::Config& config) {
  const std::size_t needed = kOwnDescriptors + kDescriptorsPerTarget * config.poll.targets.size();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return {};
  return {{Severity::kWarning, "limit",
           fmt::format("{} may be open, {} targets need up to {}", limit.rlim_cur,
                       config.poll.targets.size(), needed),
           fmt::format("ulimit -n {0}, or LimitNOFILE={0} in the unit", 2 * needed)}};
}

Findings CheckUnit(FileSystem& files) {
  if (!files.Status("/run/systemd/system").ok()) {
    return {{Severity::kNote, "service manager",
             "systemd does not run here: something else has to start the daemon and to restart it",
             ""}};
  }
  const auto units = UnitFiles(files);
  if (units.empty()) {
    return {{Severity::kWarning, "unit", "tocsin.service is not installed",
             "sudo cp systemd/tocsin.service /etc/systemd/system/ && sudo systemctl daemon-reload "
             "&& sudo systemctl enable --now tocsin"}};
  }
  Findings findings;
  if (getpwnam(kDaemonUser) == nullptr) {
    findings.push_back(
        {Severity::kError, "user",
         fmt::format("{} runs as user {}, who does not exist", units.front(), kDaemonUser),
         "sudo cp systemd/tocsin.sysusers /etc/sysusers.d/tocsin.conf && sudo "
         "systemd-sysusers"});
  }
  const auto enabled = files.Glob("/etc/systemd/system/*.wants/tocsin.service");
  if (enabled.ok() && enabled->empty()) {
    findings.push_back({Severity::kWarning, "unit", "it does not start with the host",
                        "sudo systemctl enable --now tocsin"});
  }
  return findings;
}

}  // namespace tocsin::app
