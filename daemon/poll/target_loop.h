#pragma once

// The collection loop of one target: when the next collection is due, running it,
// and what became of the last. Blocking kinds run on the lane; HTTP kinds only
// start and finish there, their request is under way on the HTTP client's loop.

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "collectors/collector.h"
#include "daemon/base/executor.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/model/source_state.h"
#include "daemon/poll/part_memory.h"
#include "daemon/poll/poll_config.h"
#include "daemon/poll/poll_metrics.h"
#include "daemon/poll/target_page.h"
#include "daemon/poll/target_recorder.h"

namespace tocsin::poll {

// Start(), RequestStop() and Finish() from one thread; State() and Page() from any.
// Tasks and callbacks keep the loop alive until they have found it stopped.
class TargetLoop : public std::enable_shared_from_this<TargetLoop> {
 public:
  // `lane` is shared among HTTP targets and owned alone by a blocking one.
  TargetLoop(TargetConfig config, const Clock& clock, Executor& lane, HttpClient& http,
             const collectors::CollectorEnvironment& environment, model::SampleSink& sink,
             const LastLife& last_life, PollMetrics& metrics);

  // Schedules the first collection at the target's phase: a hash of its name
  // within the interval, so that a restart keeps it and targets are spread.
  void Start();

  // Asks what is under way to end; nothing is begun or recorded after. The lane
  // may be destroyed once this has returned.
  void RequestStop();

  // Waits for a task that still runs. With `end_series` the target's series get
  // their staleness markers: it was removed. Requires: RequestStop().
  void Finish(bool end_series);

  const TargetConfig& config() const { return config_; }
  model::SourceState State() const;
  TargetPage Page() const;

 private:
  void ScheduleNext(WallTime after);
  // Runs `task` on the lane, unless the loop has stopped by then.
  void Post(SteadyTime when, std::function<void()> task);
  bool stopped() const;
  void Collect(WallTime slot) REQUIRES_LOCK(running_);
  void CollectBlocking(collectors::Collector& collector, const collectors::CollectContext& context)
      REQUIRES_LOCK(running_);
  void CollectHttp(collectors::HttpCollector& collector, const collectors::CollectContext& context)
      REQUIRES_LOCK(running_);
  void Send(collectors::HttpCollector& collector, const collectors::CollectContext& context,
            SteadyTime started, HttpRequest message) REQUIRES_LOCK(running_);
  void TakeExchange(collectors::HttpCollector& collector, const collectors::CollectContext& context,
                    SteadyTime started, HttpExchange exchange) REQUIRES_LOCK(running_);
  void Finished(const collectors::CollectContext& context, SteadyTime started,
                const Result<>& result) REQUIRES_LOCK(running_);
  // The commit of a collection may be judged by the rules before it returns. What
  // does not answer is therefore known before its staleness markers are there, and
  // what answers again only after its samples are.
  struct Outcome {
    model::TargetHealth before = model::TargetHealth::kUnknown;
    std::vector<model::FailedPart> failed_parts;
  };
  Outcome AnnounceFailures(const collectors::CollectContext& context, const Result<>& result)
      REQUIRES_LOCK(running_);
  void NoteRecoveries(model::TargetHealth before,
                      const std::vector<model::FailedPart>& failed_before) REQUIRES_LOCK(mutex_);
  void Publish(const collectors::CollectContext& context, double duration_seconds,
               const Result<>& result, std::int64_t samples, Outcome outcome)
      REQUIRES_LOCK(running_);

  const TargetConfig config_;
  const Clock& clock_;
  Executor& lane_;
  HttpClient& http_;
  PollMetrics& metrics_;
  std::stop_source stop_;

  // Held while a task runs, so that Finish() can wait for it.
  Mutex running_;
  TargetRecorder recorder_ GUARDED_BY(running_);
  collectors::AnyCollector collector_ GUARDED_BY(running_);
  std::shared_ptr<model::MetricBatch> batch_ GUARDED_BY(running_);  // Being filled.

  // Guards the way to the lane, which does not outlive RequestStop().
  mutable Mutex lane_mutex_;
  bool stopped_ GUARDED_BY(lane_mutex_) = false;
  TaskId next_ GUARDED_BY(lane_mutex_) = 0;
  HttpClient::RequestId request_ GUARDED_BY(lane_mutex_) = 0;

  mutable Mutex mutex_;
  model::SourceState state_ GUARDED_BY(mutex_);
  PartMemory parts_ GUARDED_BY(mutex_);
  std::shared_ptr<model::MetricBatch> published_ GUARDED_BY(mutex_);
  WallTime published_at_ GUARDED_BY(mutex_){};
};

}  // namespace tocsin::poll
