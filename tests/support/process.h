#pragma once

// Real processes for tests: started with a user, an environment and a file for
// their output, watched, signalled, and ended and reaped when their handle goes.
// Also what goes with them: temporary folders, free ports, waiting for a
// condition with a deadline. A handle ends only the process it started.
//
// Not thread-safe. A child is killed when the thread that started it ends
// (Linux' parent-death signal), so that a crashed test leaves nothing behind:
// start processes from a thread that outlives them.

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::testing {

// Calls `done` every few milliseconds until it holds or `limit` has passed;
// returns whether it held.
bool WaitUntil(const std::function<bool()>& done,
               std::chrono::milliseconds limit = std::chrono::seconds(20));

// A port of 127.0.0.1 that nobody listens on, below the range the kernel hands
// out to outgoing connections. Never the same twice within a process.
int FreePort();

// A folder below $TMPDIR or /tmp, removed with all it holds at the end. Others
// may pass through it, so that servers run by another user reach their folders.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is a path, or a name to be found in PATH.
  // The user to run as; only root may change it, and otherwise it is ignored.
  std::string user;
  std::string directory;                                         // Empty: as the parent's.
  std::vector<std::pair<std::string, std::string>> environment;  // Added to the parent's.
  std::string output;                 // File for stdout and stderr; empty: /dev/null.
  int parent_death_signal = SIGKILL;  // Sent when the parent's thread ends.
  bool pipe_input = false;            // Otherwise stdin is /dev/null.
};

class ChildProcess {
 public:
  // Errors: kNotFound, kPermissionDenied, kIoError (also when exec itself fails).
  static Result<std::unique_ptr<ChildProcess>> Start(const ProcessOptions& options);

  // Kills the process if it still runs, and reaps it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int signal);

  // Waits for the end; its exit status (128 + signal if a signal ended it), or
  // nothing if it still runs after `limit`.
  std::optional<int> Wait(std::chrono::milliseconds limit = std::chrono::seconds(20));

  // Sends `signal`, waits, and kills what is still there after `limit`.
  std::optional<int> Stop(int signal = SIGTERM,
                          std::chrono::milliseconds limit = std::chrono::seconds(10));

  // All it has written so far (see ProcessOptions::output).
  std::string Output() const;
  bool WaitForOutput(std::string_view text,
                     std::chrono::milliseconds limit = std::chrono::seconds(20));

  // Writes to its standard input (see pipe_input). False if nobody reads there.
  bool WriteInput(std::string_view text);
  void CloseInput();

  // The processes whose parent it is, as /proc shows them now.
  std::vector<pid_t> Children() const;

 private:
  ChildProcess(pid_t pid, std::string output, int input)
      : pid_(pid), output_(std::move(output)), input_(input) {}
  void Reap(bool block);

  pid_t pid_;
  std::string output_;
  int input_;
  std::optional<int> status_;
};

// Runs a program to its end: its output and exit status.
struct FinishedProcess {
  int status = 0;
  std::string output;
};
Result<FinishedProcess> RunProcess(ProcessOptions options,
                                   std::chrono::milliseconds limit = std::chrono::seconds(60));

// Gives `path` and all below it to `user`; nothing unless root.
Result<> ChangeOwner(const std::string& path, const std::string& user);

}  // namespace tocsin::testing
