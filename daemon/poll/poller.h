#pragma once

// Polls every configured target at its interval and writes what it finds to a
// SampleSink. A hung target delays nobody: each blocking one has a lane of its
// own, HTTP ones share the client's loop and cost a socket. One collection per
// target is in flight; a late one is skipped and counted.
//
// Nothing of poll is durable: a restart keeps each target's phase because it is a
// hash of the target's name.

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/model/querier.h"
#include "daemon/model/sample_sink.h"
#include "daemon/model/source_state.h"
#include "daemon/poll/poll_config.h"
#include "daemon/poll/poll_metrics.h"
#include "daemon/poll/target_page.h"
#include "daemon/poll/target_recorder.h"

namespace tocsin::poll {

class TargetLoop;

// Thread-safe: Snapshot() and Pages() from any thread; Apply() and Stop() from one.
class Poller : public model::SourceStates {
 public:
  // `stored`: what `sink` has kept, also of the process before; `lookback`: how long a
  // series that has not ended is seen.
  Poller(const Clock& clock, ExecutorFactory& executors, HttpClient& http, FileSystem& files,
         model::SampleSink& sink, const model::Querier& stored, Millis lookback,
         MetricRegistry& registry);
  ~Poller() override;

  // Polls these targets from now on. Targets whose fingerprint is unchanged go on
  // as they are; a removed one gets staleness markers once it has stopped.
  void Apply(const PollConfig& config);

  // Ends all collections; each within its deadline plus a second at the latest.
  void Stop();

  std::vector<model::SourceState> Snapshot() const override;

  // What each target's last collection brought, in the order of the configuration.
  std::vector<TargetPage> Pages() const;

 private:
  struct Running;

  std::shared_ptr<Running> MakeTarget(const TargetConfig& config);
  void StopTargets(std::vector<std::shared_ptr<Running>> stopping, bool end_series);
  std::vector<std::shared_ptr<Running>> Targets() const;

  const Clock& clock_;
  ExecutorFactory& executors_;
  HttpClient& http_;
  FileSystem& files_;
  model::SampleSink& sink_;
  const LastLife last_life_;
  PollMetrics metrics_;
  std::vector<std::unique_ptr<Executor>> http_lanes_;
  std::size_t next_http_lane_ = 0;

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Running>> targets_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::poll
