#pragma once

// A dead man's switch: a request to a URL at an interval, sent only while polling,
// evaluation and delivery all work. Whoever watches that URL notices when the
// whole daemon, or a vital part of it, has fallen silent. Internal.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/notify_metrics.h"

namespace tocsin::notify {

// Thread-safe; beats from its construction to its destruction. The collaborators
// must outlive it.
class Heartbeat {
 public:
  Heartbeat(const HeartbeatConfig& config, std::function<Result<>()> healthy,
            const NotifyMetrics& metrics, const Clock& clock, ExecutorFactory& executors,
            HttpClient& http, FileSystem& files);
  ~Heartbeat();

 private:
  struct Shared;  // What an answer may still touch after the Heartbeat is gone.

  void Beat();
  void Send();

  const HeartbeatConfig config_;
  const std::function<Result<>()> healthy_;
  const Clock& clock_;
  HttpClient& http_;
  FileSystem& files_;
  std::shared_ptr<Shared> shared_;
  SteadyTime next_{};
  std::unique_ptr<Executor> owned_lane_;  // Last: its tasks use what is above.
  Executor* const lane_;
};

}  // namespace tocsin::notify
