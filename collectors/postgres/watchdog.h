#pragma once

// Ends what a peer does not: while a Watch lives, its socket is shut down at the
// deadline, or as soon as the collection is asked to stop, so that a read that
// waits for ever returns at once. The socket is never closed here: whoever owns
// it sees an end of file.

#include <memory>
#include <stop_token>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"

namespace tocsin::collectors::postgres {

class Watchdog {
 public:
  explicit Watchdog(const Clock& clock);
  ~Watchdog();

  class Watch {
   public:
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    // Whether the socket was shut down.
    bool fired() const;

   private:
    friend class Watchdog;
    struct State;
    Watch(Executor& lane, int socket, SteadyTime deadline, std::stop_token stop);
    Executor& lane_;
    std::shared_ptr<State> state_;
    TaskId task_ = 0;
    std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop_;
  };

  // The socket must stay open as long as the Watch.
  std::unique_ptr<Watch> Start(int socket, SteadyTime deadline, std::stop_token stop);

 private:
  ThreadExecutors threads_;
  std::unique_ptr<Executor> lane_;
};

}  // namespace tocsin::collectors::postgres
