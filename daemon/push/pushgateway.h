#pragma once

// One Pushgateway: at every interval the latest values are PUT, group by group. A group
// that is no longer there is deleted, so that a removed target does not live on in the
// gateway. Nothing is repeated: the next round brings newer values anyway.

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/model/labels.h"
#include "daemon/push/lane_sender.h"
#include "daemon/push/push_config.h"
#include "daemon/push/push_metrics.h"

namespace tocsin::push {

// The latest values of one group, as a page in text format without times.
struct PushPage {
  model::Labels grouping;  // With the label job.
  std::string body;
};

// The pages of all targets, one for each grouping. Called on the lanes of push.
using PushPages = std::function<std::vector<PushPage>()>;

// "/metrics/job/x/instance/y" for a group; values with a slash go as base64.
std::string GroupPath(const model::Labels& grouping);

// Thread-safe.
class PushgatewayDestination {
 public:
  PushgatewayDestination(PushgatewayConfig config, PushPages pages, const Clock& clock,
                         ExecutorFactory& executors, HttpClient& client, FileSystem& files,
                         MetricRegistry& registry);
  ~PushgatewayDestination();

  // Starts a round now, unless one is under way.
  void Flush();
  bool Idle() const;

 private:
  struct Step {
    std::string method;
    std::string path;
    std::string body;
  };

  void Tick();
  void BeginRound();
  void Next();
  void Finish(const Step& step, const HttpExchange& exchange);
  void EndRound();

  const PushgatewayConfig config_;
  const PushPages pages_;
  const Clock& clock_;
  FileSystem& files_;
  PushgatewayMetrics metrics_;
  LaneSender sender_;

  mutable Mutex mutex_;
  bool busy_ GUARDED_BY(mutex_) = false;
  int flushes_ GUARDED_BY(mutex_) = 0;  // Asked for and not begun.

  // Of the lane alone.
  SteadyTime next_tick_{};
  std::deque<Step> steps_;
  std::set<std::string> present_;  // Paths of the groups in the gateway that are ours.
  std::string round_error_;
  bool failing_ = false;

  std::unique_ptr<Executor> lane_;  // Last: it goes first, and its tasks use all of the above.
};

}  // namespace tocsin::push
