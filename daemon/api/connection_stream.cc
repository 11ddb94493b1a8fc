#include "daemon/api/connection_stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tocsin::api {
namespace {

constexpr std::size_t kMostGathered = 16 << 10;
constexpr int kMostDiscards = 32;
constexpr Millis kDiscardLimit{200};
constexpr std::size_t kMostOfTls = 1 << 20;  // In one call.

}  // namespace

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
  do received = recv(fd_, in_.data(), in_.size(), 0);
  while (received < 0 && errno == EINTR);
  if (received < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
  in_begin_ = 0;
  in_end_ = static_cast<std::size_t>(received);  // 0 at the end: read() is told so again.
  return true;
}

bool ConnectionStream::is_readable() const { return IsThere() || WaitFor(POLLIN, limits_.read); }

bool ConnectionStream::is_writable() const { return WaitFor(POLLOUT, limits_.write); }

bool ConnectionStream::AcceptTls() {
  const int flags = fcntl(fd_, F_GETFL);
  if (flags < 0 || fcntl(fd_, F_SETFL, flags | O_NONBLOCK) != 0) return false;
  SSL_set_fd(tls_, fd_);
  while (true) {
    ERR_clear_error();
    const int result = SSL_accept(tls_);
    if (result == 1) return true;
    if (!AwaitTls(result)) return false;
  }
}

bool ConnectionStream::AwaitTls(int result) {
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ: return WaitFor(POLLIN, limits_.read);
    case SSL_ERROR_WANT_WRITE: return WaitFor(POLLOUT, limits_.write);
    default: broken_ = true; return false;
  }
}

ssize_t ConnectionStream::ReceiveTls(char* bytes, std::size_t size) {
  while (true) {
    ERR_clear_error();
    const int received = SSL_read(tls_, bytes, static_cast<int>(std::min(size, kMostOfTls)));
    if (received > 0) return received;
    if (SSL_get_error(tls_, received) == SSL_ERROR_ZERO_RETURN) return 0;
    if (!AwaitTls(received)) return -1;
  }
}

bool ConnectionStream::SendTls(const char* bytes, std::size_t size) {
  while (size > 0) {
    ERR_clear_error();
    const int sent = SSL_write(tls_, bytes, static_cast<int>(std::min(size, kMostOfTls)));
    if (sent > 0) {
      bytes += sent;
      size -= static_cast<std::size_t>(sent);
    } else if (!AwaitTls(sent)) {
      return false;
    }
  }
  return true;
}

void ConnectionStream::SayGoodbye() {
  if (tls_ != nullptr && !broken_) SSL_shutdown(tls_);
  shutdown(fd_, SHUT_WR);
}

ssize_t ConnectionStream::Receive(char* bytes, std::size_t size) {
  if (tls_ != nullptr) return ReceiveTls(bytes, size);
  while (true) {
    const ssize_t received = recv(fd_, bytes, size, MSG_DONTWAIT);
    if (received >= 0) return received;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -1;
    if (!WaitFor(POLLIN, limits_.read)) return -1;
  }
}

ssize_t ConnectionStream::read(char* bytes, size_t size) {
  if (in_begin_ == in_end_) {
    if (!Flush()) return -1;
    if (size >= in_.size()) return Receive(bytes, size);
    const ssize_t received = Receive(in_.data(), in_.size());
    if (received <= 0) return received;
    in_begin_ = 0;
    in_end_ = static_cast<std::size_t>(received);
  }
  const std::size_t taken = std::min(size, in_end_ - in_begin_);
  std::memcpy(bytes, in_.data() + in_begin_, taken);
  in_begin_ += taken;
  return static_cast<ssize_t>(taken);
}

void ConnectionStream::Discard() {
  for (int reads = 0; reads < kMostDiscards && WaitFor(POLLIN, kDiscardLimit); ++reads) {
    if (recv(fd_, in_.data(), in_.size(), MSG_DONTWAIT) <= 0) return;
  }
}

// Sends what has been gathered and these bytes.
bool ConnectionStream::Send(const char* bytes, std::size_t size) {
  if (tls_ != nullptr) {
    const std::string gathered = std::exchange(out_, {});
    return SendTls(gathered.data(), gathered.size()) && SendTls(bytes, size);
  }
  std::array<iovec, 2> parts = {iovec{out_.data(), out_.size()},
                                iovec{const_cast<char*>(bytes), size}};
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

bool ConnectionStream::Flush() { return out_.empty() || Send(nullptr, 0); }

ssize_t ConnectionStream::write(const char* bytes, size_t size) {
  if (out_.size() + size <= kMostGathered) {
    out_.append(bytes, size);
  } else if (!Send(bytes, size)) {
    return -1;
  }
  return static_cast<ssize_t>(size);
}

// Nobody here asks for addresses; the library does, with two system calls a request.
void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void ConnectionStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace tocsin::api
