#include "daemon/base/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace tocsin {
namespace {

// Closes a file descriptor unless released.
class FdGuard {
 public:
  explicit FdGuard(int fd) : fd_(fd) {}
  FdGuard(const FdGuard&) = delete;
  FdGuard& operator=(const FdGuard&) = delete;
  ~FdGuard() {
    if (fd_ >= 0) close(fd_);
  }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error ConnectError(int code) {
  bool denied = code == EACCES || code == EPERM;
  return {denied ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable,
          fmt::format("cannot connect: {}", std::strerror(code))};
}

Error BrokenOff(std::string_view doing, int code) {
  return {ErrorCode::kUnavailable,
          fmt::format("connection broke off while {}: {}", doing, std::strerror(code))};
}

bool WouldBlock(int code) { return code == EAGAIN || code == EWOULDBLOCK; }

constexpr std::string_view kConnecting = "connecting";
constexpr std::string_view kReading = "reading the answer";
constexpr std::string_view kWriting = "sending the request";

}  // namespace

Result<> WaitUntilReady(int fd, Readiness what, const Deadline& deadline, std::string_view doing) {
  pollfd waited{fd, static_cast<short>(what == Readiness::kReadable ? POLLIN : POLLOUT), 0};
  while (true) {
    TOCSIN_RETURN_IF_ERROR(deadline.Check(doing));
    Millis slice = std::min(deadline.Left() + Millis(1), kStopCheckInterval);
    int ready = poll(&waited, 1, static_cast<int>(slice.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) {
      return Error{ErrorCode::kIoError,
                   fmt::format("poll failed while {}: {}", doing, std::strerror(errno))};
    }
  }
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Result<Socket> Socket::Connect(const sockaddr* address, socklen_t size, const Deadline& deadline) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ConnectError(errno);
  FdGuard guard(fd);
  if (address->sa_family != AF_UNIX) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  while (connect(fd, address, size) != 0) {
    if (errno == EINTR) continue;
    if (errno == EISCONN) break;
    // A unix socket whose backlog is full answers EAGAIN and cannot be waited for.
    if (errno != EINPROGRESS && errno != EALREADY) return ConnectError(errno);
    TOCSIN_RETURN_IF_ERROR(WaitUntilReady(fd, Readiness::kWritable, deadline, kConnecting));
    int code = 0;
    socklen_t code_size = sizeof code;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_size) != 0) code = errno;
    if (code != 0) return ConnectError(code);
    break;
  }
  return Socket(guard.Release());
}

Result<Socket> Socket::ConnectTcp(const std::vector<ResolvedAddress>& addresses,
                                  const Deadline& deadline) {
  Error last{ErrorCode::kUnavailable, "cannot connect: no address"};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    TOCSIN_RETURN_IF_ERROR(deadline.Check(kConnecting));
    auto share = deadline.Left() / static_cast<std::int64_t>(addresses.size() - i) + Millis(1);
    const ResolvedAddress& address = addresses[i];
    auto socket = Connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size,
                          deadline.NoLaterThan(deadline.clock().SteadyNow() + share));
    if (socket.ok() || socket.error().code == ErrorCode::kCancelled) return socket;
    last = socket.error();
  }
  return last;
}

Result<Socket> Socket::ConnectUnix(const std::string& path, const Deadline& deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("socket path longer than {} bytes", sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
}

Result<std::size_t> Socket::Read(char* buffer, std::size_t size, const Deadline& deadline) {
  while (true) {
    ssize_t count = recv(fd_, buffer, size, 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (!WouldBlock(errno)) return BrokenOff(kReading, errno);
    TOCSIN_RETURN_IF_ERROR(WaitUntilReady(fd_, Readiness::kReadable, deadline, kReading));
  }
}

Result<> Socket::Write(std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      if (!WouldBlock(errno)) return BrokenOff(kWriting, errno);
      TOCSIN_RETURN_IF_ERROR(WaitUntilReady(fd_, Readiness::kWritable, deadline, kWriting));
    }
  }
  return {};
}

bool Socket::HasInput() const {
  pollfd waited{fd_, POLLIN, 0};
  return poll(&waited, 1, 0) > 0;
}

}  // namespace tocsin
