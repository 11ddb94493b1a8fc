#include "daemon/app/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/base/check.h"

namespace tocsin::app {

ProcessEvents::ProcessEvents() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&taken, number);
  pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  signal(SIGPIPE, SIG_IGN);  // A peer that closes is an error of write().
  signals_ = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  TOCSIN_CHECK(signals_ >= 0 && wake_ >= 0);
}

ProcessEvents::~ProcessEvents() {
  close(signals_);
  close(wake_);
}

ProcessEvent ProcessEvents::Next(std::optional<Millis> timeout) {
  pollfd ready[2] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}};
  const int wait = timeout ? static_cast<int>(timeout->count()) : -1;
  const int count = ::poll(ready, 2, wait);
  signalfd_siginfo info{};
  if (count > 0 && read(signals_, &info, sizeof(info)) == sizeof(info)) {
    return info.ssi_signo == SIGHUP ? ProcessEvent::kReload : ProcessEvent::kTerminate;
  }
  std::uint64_t wakes = 0;
  if (count > 0 && read(wake_, &wakes, sizeof(wakes)) == sizeof(wakes)) {
    return ProcessEvent::kRequested;
  }
  return ProcessEvent::kTimeout;
}

void ProcessEvents::Wake() {
  const std::uint64_t one = 1;
  const ssize_t written = write(wake_, &one, sizeof(one));
  TOCSIN_CHECK(written == sizeof(one) || errno == EAGAIN);  // EAGAIN: it will wake anyway.
}

}  // namespace tocsin::app
