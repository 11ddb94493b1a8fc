#include "collectors/postgres/watchdog.h"

#include <sys/socket.h>

#include <utility>

#include "daemon/base/mutex.h"

namespace tocsin::collectors::postgres {

struct Watchdog::Watch::State {
  Mutex mutex;
  int socket GUARDED_BY(mutex) = -1;  // -1: nothing to watch any more.
  bool fired GUARDED_BY(mutex) = false;

  // shutdown() does not block; under the lock because the descriptor may be
  // another file's as soon as the Watch is gone.
  void Fire() {
    MutexLock lock(mutex);
    if (socket < 0) return;
    ::shutdown(socket, SHUT_RDWR);
    fired = true;
  }
};

Watchdog::Watchdog(const Clock& clock)
    : threads_(clock), lane_(threads_.NewExecutor("pg-watchdog")) {}

Watchdog::~Watchdog() = default;

std::unique_ptr<Watchdog::Watch> Watchdog::Start(int socket, SteadyTime deadline,
                                                 std::stop_token stop) {
  return std::unique_ptr<Watch>(new Watch(*lane_, socket, deadline, std::move(stop)));
}

Watchdog::Watch::Watch(Executor& lane, int socket, SteadyTime deadline, std::stop_token stop)
    : lane_(lane), state_(std::make_shared<State>()) {
  {
    MutexLock lock(state_->mutex);
    state_->socket = socket;
  }
  task_ = lane_.RunAt(deadline, [state = state_] { state->Fire(); });
  on_stop_ = std::make_unique<std::stop_callback<std::function<void()>>>(
      std::move(stop), [state = state_] { state->Fire(); });
}

Watchdog::Watch::~Watch() {
  on_stop_.reset();
  lane_.Cancel(task_);
  MutexLock lock(state_->mutex);
  state_->socket = -1;
}

bool Watchdog::Watch::fired() const {
  MutexLock lock(state_->mutex);
  return state_->fired;
}

}  // namespace tocsin::collectors::postgres
