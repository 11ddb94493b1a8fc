#pragma once

// What the small servers of tests have in common: a socket that listens on this machine
// alone, a thread per connection, and an end that waits for all of them. Thread-safe.

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace tocsin::testing {

class LoopbackServer {
 public:
  // Speaks with one connection, on its thread; the socket is closed behind it.
  using Serve = std::function<void(int socket)>;

  struct Place {
    std::string address = "127.0.0.1";  // Of 127.0.0.0/8.
    int port = 0;                       // 0: a free one.
  };

  // Listens; Start() begins to accept. Requires: the place is free.
  explicit LoopbackServer(Place place);
  ~LoopbackServer() { Stop(); }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  // Whether somebody may listen there: ports below 1024 are not everybody's.
  static bool MayListen(const Place& place);

  int port() const { return port_; }
  int accepted() const { return accepted_; }

  void Start(Serve serve);
  // Shuts every connection down and waits for their threads. The second time: nothing.
  void Stop();

  // On a connection's thread: until Stop(), or for that long; false if it stops meanwhile.
  void WaitToStop() const;
  bool Pause(Millis span) const;

 private:
  struct Connection {
    int socket = -1;
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  void AcceptAll();

  Serve serve_;
  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  mutable Mutex mutex_;
  mutable ConditionVariable stopped_;
  std::list<Connection> connections_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::testing
