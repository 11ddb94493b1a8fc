#pragma once

// Threads are reached only through here. An Executor is one lane: it runs its
// tasks one at a time, in the order of their due times (first come first served
// among equals). Who must not wait for somebody else takes a lane of its own
// from the ExecutorFactory. Production lanes are threads; the simulation's lanes
// (tests/support/sim_executor.h) share one virtual clock, so that everything
// scheduled here runs deterministically there. Components therefore schedule
// themselves (RunAfter) and never sleep or block on a condition.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"

namespace tocsin {

using TaskId = std::uint64_t;  // 0 is never a task.

// Thread-safe: tasks may be posted and cancelled from any thread, from a task too.
// The destructor drops what has not started and waits for what is running; it
// must not be called from one of the lane's own tasks.
class Executor {
 public:
  using Task = std::function<void()>;

  virtual ~Executor() = default;

  // Runs `task` as soon as the lane is free.
  virtual TaskId Post(Task task) = 0;

  // Runs `task` once `when` has passed.
  virtual TaskId RunAt(SteadyTime when, Task task) = 0;

  // Drops a task that has not started. Returns false if it ran, runs, or is unknown.
  virtual bool Cancel(TaskId id) = 0;
};

// Thread-safe.
class ExecutorFactory {
 public:
  virtual ~ExecutorFactory() = default;

  // A new lane; `name` (at most 15 bytes are kept) is what `top -H` shows.
  virtual std::unique_ptr<Executor> NewExecutor(const std::string& name) = 0;
};

// Lanes that are threads of this process.
class ThreadExecutors : public ExecutorFactory {
 public:
  explicit ThreadExecutors(const Clock& clock) : clock_(clock) {}
  std::unique_ptr<Executor> NewExecutor(const std::string& name) override;

 private:
  const Clock& clock_;
};

}  // namespace tocsin
