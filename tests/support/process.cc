#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include "daemon/base/check.h"

extern char** environ;

namespace tocsin::testing {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPollEvery{5};
// Below Linux' default range of outgoing ports (32768 and up).
constexpr int kLowestPort = 20'000;
constexpr int kHighestPort = 32'000;

struct User {
  uid_t uid;
  gid_t gid;
};

Result<std::optional<User>> FindUser(const std::string& name) {
  if (name.empty() || geteuid() != 0) return std::optional<User>{};
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) return Error{ErrorCode::kNotFound, "no user " + name};
  return std::optional<User>(User{entry->pw_uid, entry->pw_gid});
}

// What the child needs, made before fork: after it only async-signal-safe calls.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> environment;
  std::vector<char*> envp;
  std::optional<User> user;
};

Prepared Prepare(const ProcessOptions& options, std::optional<User> user) {
  Prepared prepared;
  for (const auto& argument : options.argv) {
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  }
  prepared.argv.push_back(nullptr);
  std::set<std::string> own;
  for (const auto& [name, value] : options.environment) {
    own.insert(name);
    prepared.environment.push_back(name + "=" + value);
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!own.contains(text.substr(0, text.find('=')))) prepared.environment.push_back(text);
  }
  for (auto& entry : prepared.environment) prepared.envp.push_back(entry.data());
  prepared.envp.push_back(nullptr);
  prepared.user = user;
  return prepared;
}

[[noreturn]] void FailChild(int report) {
  const int error = errno;
  [[maybe_unused]] const auto written = write(report, &error, sizeof(error));
  _exit(127);
}

[[noreturn]] void BecomeChild(const ProcessOptions& options, const Prepared& prepared, int input,
                              int output, int report, pid_t parent) {
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) FailChild(report);
  setpgid(0, 0);
  if (prepared.user) {
    const gid_t gid = prepared.user->gid;
    if (setgroups(1, &gid) != 0 || setgid(gid) != 0 || setuid(prepared.user->uid) != 0) {
      FailChild(report);
    }
  }
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) FailChild(report);
  // After the change of user, which clears it.
  prctl(PR_SET_PDEATHSIG, options.parent_death_signal);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execvpe(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  FailChild(report);
}

}  // namespace

bool WaitUntil(const std::function<bool()>& done, milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (true) {
    if (done()) return true;
    if (std::chrono::steady_clock::now() >= until) return done();
    std::this_thread::sleep_for(kPollEvery);
  }
}

int FreePort() {
  static std::mt19937 random{std::random_device{}()};
  static std::set<int> given;
  std::uniform_int_distribution<int> ports(kLowestPort, kHighestPort);
  while (true) {
    const int port = ports(random);
    if (given.contains(port)) continue;
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TOCSIN_CHECK(probe >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    close(probe);
    if (!free) continue;
    given.insert(port);
    return port;
  }
}

TemporaryFolder::TemporaryFolder() {
  const char* root = std::getenv("TMPDIR");
  path_ = std::string(root != nullptr && *root != '\0' ? root : "/tmp") + "/tocsin-XXXXXX";
  TOCSIN_CHECK(mkdtemp(path_.data()) != nullptr);
  TOCSIN_CHECK(chmod(path_.c_str(), 0755) == 0);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ProcessOptions& options) {
  TOCSIN_CHECK(!options.argv.empty());
  TOCSIN_ASSIGN_OR_RETURN(const auto user, FindUser(options.user));
  const Prepared prepared = Prepare(options, user);

  const std::string output = options.output.empty() ? "/dev/null" : options.output;
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) return Error{ErrorCode::kIoError, output + ": " + std::strerror(errno)};
  int input[2] = {-1, -1};
  int report[2];
  if (options.pipe_input) {
    TOCSIN_CHECK(pipe2(input, O_CLOEXEC) == 0);
  } else {
    input[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  TOCSIN_CHECK(pipe2(report, O_CLOEXEC) == 0);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeChild(options, prepared, input[0], out, report[1], parent);
  close(report[1]);
  close(input[0]);
  close(out);
  if (pid < 0) {
    close(report[0]);
    if (input[1] >= 0) close(input[1]);
    return Error{ErrorCode::kIoError, std::string("fork: ") + std::strerror(errno)};
  }
  int error = 0;
  const auto got = read(report[0], &error, sizeof(error));
  close(report[0]);
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid, options.output, input[1]));
  if (got == sizeof(error)) {
    const auto code = error == ENOENT   ? ErrorCode::kNotFound
                      : error == EACCES ? ErrorCode::kPermissionDenied
                                        : ErrorCode::kIoError;
    return Error{code, options.argv[0] + ": " + std::strerror(error)};
  }
  return child;
}

ChildProcess::~ChildProcess() {
  CloseInput();
  if (!Running()) return;
  Signal(SIGKILL);
  Reap(/*block=*/true);
}

void ChildProcess::Reap(bool block) {
  if (status_) return;
  int status = 0;
  pid_t got;
  do {
    got = waitpid(pid_, &status, block ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got != pid_) return;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool ChildProcess::Running() {
  Reap(/*block=*/false);
  return !status_.has_value();
}

void ChildProcess::Signal(int signal) {
  if (Running()) kill(pid_, signal);
}

std::optional<int> ChildProcess::Wait(milliseconds limit) {
  WaitUntil([this] { return !Running(); }, limit);
  return status_;
}

std::optional<int> ChildProcess::Stop(int signal, milliseconds limit) {
  Signal(signal);
  if (!Wait(limit)) {
    Signal(SIGKILL);
    Reap(/*block=*/true);
  }
  return status_;
}

std::string ChildProcess::Output() const {
  std::ifstream file(output_, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool ChildProcess::WaitForOutput(std::string_view text, milliseconds limit) {
  return WaitUntil([&] { return Output().find(text) != std::string::npos || !Running(); }, limit) &&
         Output().find(text) != std::string::npos;
}

bool ChildProcess::WriteInput(std::string_view text) {
  if (input_ < 0) return false;
  // A pipe knows no MSG_NOSIGNAL: a reader that is gone must not end the test.
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  while (!text.empty()) {
    const auto written = write(input_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  sigaction(SIGPIPE, &before, nullptr);
  return text.empty();
}

void ChildProcess::CloseInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

std::vector<pid_t> ChildProcess::Children() const {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr !=
        name.data() + name.size()) {
      continue;
    }
    std::ifstream stat(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto close = text.rfind(')');  // The name in front may hold anything.
    if (close == std::string::npos || close + 4 >= text.size()) continue;
    pid_t parent = 0;
    std::from_chars(text.data() + close + 4, text.data() + text.size(), parent);
    if (parent == pid_) children.push_back(pid);
  }
  return children;
}

Result<FinishedProcess> RunProcess(ProcessOptions options, milliseconds limit) {
  TemporaryFolder folder;
  if (options.output.empty()) options.output = folder.File("output");
  TOCSIN_ASSIGN_OR_RETURN(auto process, ChildProcess::Start(options));
  const auto status = process->Wait(limit);
  if (!status) {
    return Error{ErrorCode::kDeadlineExceeded,
                 options.argv[0] + " did not end; it wrote: " + process->Output()};
  }
  return FinishedProcess{*status, process->Output()};
}

Result<> ChangeOwner(const std::string& path, const std::string& user) {
  TOCSIN_ASSIGN_OR_RETURN(const auto found, FindUser(user));
  if (!found) return {};
  if (lchown(path.c_str(), found->uid, found->gid) != 0) {
    return Error{ErrorCode::kIoError, path + ": " + std::strerror(errno)};
  }
  if (!std::filesystem::is_directory(path)) return {};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (lchown(entry.path().c_str(), found->uid, found->gid) != 0) {
      return Error{ErrorCode::kIoError, entry.path().string() + ": " + std::strerror(errno)};
    }
  }
  return {};
}

}  // namespace tocsin::testing
