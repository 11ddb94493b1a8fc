#include "daemon/api/connection_stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tocsin::api {
namespace {

constexpr std::size_t kUsualRoom = 16 << 10;
constexpr std::size_t kMostGathered = 16 << 10;
constexpr std::size_t kMostDiscarded = 4 << 20;
constexpr Millis kDiscardLimit{2'000};
constexpr Millis kSilence{200};
constexpr std::size_t kMostOfTls = 1 << 20;  // In one call.

}  // namespace

ConnectionStream::ConnectionStream(int fd, Limits limits, const Clock& clock, ssl_st* tls)
    : fd_(fd), limits_(limits), clock_(clock), tls_(tls) {
  MakeRoom();
}

bool ConnectionStream::WaitFor(short event, Millis limit) const {
  pollfd wanted{fd_, event, 0};
  int ready = 0;
  do ready = poll(&wanted, 1, static_cast<int>(limit.count()));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool ConnectionStream::IsThere() const {
  return in_begin_ < in_end_ || (tls_ != nullptr && SSL_pending(tls_) > 0);
}

// Without TLS in one system call, as the wait is what a request costs most.
bool ConnectionStream::WaitForRequest(Millis limit) {
  if (IsThere()) return true;
  if (tls_ != nullptr) return WaitFor(POLLIN, limit);
  if (limit != wait_limit_) {
    const timeval wait{limit.count() / 1000, limit.count() % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    wait_limit_ = limit;
  }
  ssize_t received = 0;
  do received = recv(fd_, in_.get(), in_room_, 0);
  while (received < 0 && errno == EINTR);
  if (received < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
  in_begin_ = 0;
  in_end_ = static_cast<std::size_t>(received);  // 0 at the end: Receive() is told so again.
  return true;
}

bool ConnectionStream::AcceptTls() {
  const int flags = fcntl(fd_, F_GETFL);
  if (flags < 0 || fcntl(fd_, F_SETFL, flags | O_NONBLOCK) != 0) return false;
  SSL_set_fd(tls_, fd_);
  const Deadline deadline(clock_, clock_.SteadyNow() + limits_.read);
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(tls_);
    if (result == 1) return true;
    if (!AwaitTls(result, deadline)) return false;
  }
}

Millis ConnectionStream::ReadLimit(const Deadline& deadline) const {
  return std::min(deadline.Left(), limits_.read);
}

bool ConnectionStream::AwaitTls(int result, const Deadline& deadline) {
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ: return WaitFor(POLLIN, ReadLimit(deadline));
    case SSL_ERROR_WANT_WRITE: return WaitFor(POLLOUT, limits_.write);
    default: broken_ = true; return false;
  }
}

ssize_t ConnectionStream::ReceiveTls(char* bytes, std::size_t size, const Deadline& deadline) {
  while (true) {
    ERR_clear_error();
    const int received = SSL_read(tls_, bytes, static_cast<int>(std::min(size, kMostOfTls)));
    if (received > 0) return received;
    if (SSL_get_error(tls_, received) == SSL_ERROR_ZERO_RETURN) return 0;
    if (!AwaitTls(received, deadline)) return -1;
  }
}

bool ConnectionStream::SendTls(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int sent =
        SSL_write(tls_, bytes.data(), static_cast<int>(std::min(bytes.size(), kMostOfTls)));
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (!AwaitTls(sent, Deadline(clock_, clock_.SteadyNow() + limits_.read))) {
      return false;
    }
  }
  return true;
}

void ConnectionStream::SayGoodbye() {
  if (tls_ != nullptr && !broken_) SSL_shutdown(tls_);
  shutdown(fd_, SHUT_WR);
}

ssize_t ConnectionStream::ReceivePlain(char* bytes, std::size_t size, const Deadline& deadline) {
  while (true) {
    const ssize_t received = recv(fd_, bytes, size, MSG_DONTWAIT);
    if (received >= 0) return received;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -1;
    if (!WaitFor(POLLIN, ReadLimit(deadline))) return -1;
  }
}

// Behind what was received, which stays in one piece.
void ConnectionStream::MakeRoom() {
  const std::size_t size = in_end_ - in_begin_;
  const bool full = in_end_ == in_room_;
  std::size_t room = in_room_;
  if (size == 0) {
    room = kUsualRoom;  // What a large request needed is given back behind it.
  } else if (full && size > in_room_ / 2) {
    room = 2 * in_room_;
  }
  if (room != in_room_) {
    std::unique_ptr<char[]> other(new char[room]);
    if (size > 0) std::memcpy(other.get(), in_.get() + in_begin_, size);
    in_ = std::move(other);
    in_room_ = room;
  } else if (full && size > 0) {
    std::memmove(in_.get(), in_.get() + in_begin_, size);
  } else if (size > 0) {
    return;
  }
  in_begin_ = 0;
  in_end_ = size;
}

bool ConnectionStream::Receive(const Deadline& deadline) {
  if (!Flush()) return false;
  MakeRoom();
  char* const at = in_.get() + in_end_;
  const std::size_t room = in_room_ - in_end_;
  const ssize_t received =
      tls_ != nullptr ? ReceiveTls(at, room, deadline) : ReceivePlain(at, room, deadline);
  if (received <= 0) return false;
  in_end_ += static_cast<std::size_t>(received);
  return true;
}

void ConnectionStream::Discard() {
  std::array<char, 16 << 10> bytes;
  const Deadline deadline(clock_, clock_.SteadyNow() + kDiscardLimit);
  std::size_t discarded = 0;
  while (discarded < kMostDiscarded && WaitFor(POLLIN, std::min(deadline.Left(), kSilence))) {
    const ssize_t received = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received <= 0) return;
    discarded += static_cast<std::size_t>(received);
  }
}

// Sends what has been gathered and these bytes.
bool ConnectionStream::Send(std::string_view bytes) {
  if (tls_ != nullptr) {
    const std::string gathered = std::exchange(out_, {});
    return SendTls(gathered) && SendTls(bytes);
  }
  std::array<iovec, 2> parts = {iovec{out_.data(), out_.size()},
                                iovec{const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    const ssize_t sent = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
      if (!WaitFor(POLLOUT, limits_.write)) return false;
      continue;
    }
    auto left = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t gone = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + gone;
      part.iov_len -= gone;
      left -= gone;
    }
  }
  out_.clear();
  return true;
}

bool ConnectionStream::Flush() { return out_.empty() || Send({}); }

bool ConnectionStream::Write(std::string_view bytes) {
  if (out_.size() + bytes.size() > kMostGathered) return Send(bytes);
  out_ += bytes;
  return true;
}

}  // namespace tocsin::api
