#pragma once

// The process' signals, as events of one loop: a thread waits for the next of
// them, for a request from another thread, or for a timeout.

#include <optional>

#include "daemon/base/clock.h"

namespace tocsin::app {

enum class ProcessEvent {
  kTerminate,  // SIGTERM, SIGINT.
  kReload,     // SIGHUP.
  kRequested,  // Wake() was called.
  kTimeout,
};

class ProcessEvents {
 public:
  // Blocks the signals in this thread and those it starts: make it first.
  ProcessEvents();
  ~ProcessEvents();
  ProcessEvents(const ProcessEvents&) = delete;
  ProcessEvents& operator=(const ProcessEvents&) = delete;

  // Waits for the next event; without a timeout, as long as it takes.
  ProcessEvent Next(std::optional<Millis> timeout);

  // Makes Next() return kRequested. Thread-safe.
  void Wake();

 private:
  int signals_ = -1;
  int wake_ = -1;
};

}  // namespace tocsin::app
