#pragma once

// One destination of remote_write: a bounded queue, and a lane that sends batches from
// it one after the other, so that a series' samples arrive in order.
//
// Nothing is on disk: a crash loses what is queued. While the destination is down the
// queue fills; then the oldest samples go, and are counted. Recoverable answers (no
// connection, time-out, 429, 5xx) are repeated for ever with exponential backoff or as
// Retry-After asks; any other answer loses the batch, which is counted and logged.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "daemon/base/executor.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"
#include "daemon/model/labels.h"
#include "daemon/model/sample_sink.h"
#include "daemon/push/lane_sender.h"
#include "daemon/push/push_config.h"
#include "daemon/push/push_metrics.h"

namespace tocsin::push {

// Thread-safe.
class RemoteWriteDestination {
 public:
  RemoteWriteDestination(RemoteWriteConfig config, model::Labels external_labels,
                         const Clock& clock, ExecutorFactory& executors, HttpClient& client,
                         FileSystem& files, MetricRegistry& registry);
  ~RemoteWriteDestination();

  // Takes samples into the queue.
  void Offer(std::span<const model::SeriesSample> samples);

  // Sends what is queued now instead of waiting for full batches.
  void Flush();

  // True if nothing waits and nothing is under way.
  bool Idle() const;

 private:
  struct Queued {
    model::Labels labels;
    std::int64_t time_ms = 0;
    double value = 0;
  };
  // What is under way: kept until it is accepted or refused.
  struct Batch {
    std::string body;
    std::int64_t samples = 0;  // Taken from the queue.
    std::int64_t encoded = 0;  // Of these, not relabelled away.
  };

  void Pump();
  bool TakeBatch();
  void Encode(std::span<const Queued> samples);
  void SendBatch();
  void Finish(HttpExchange exchange);
  void Retry(const HttpExchange& exchange, const std::string& why);
  void Say(bool failing, const std::string& why);

  const RemoteWriteConfig config_;
  const model::Labels external_labels_;
  const Clock& clock_;
  FileSystem& files_;
  RemoteWriteMetrics metrics_;
  LaneSender sender_;

  mutable Mutex mutex_;
  std::deque<Queued> queue_ GUARDED_BY(mutex_);
  SteadyTime oldest_since_ GUARDED_BY(mutex_){};  // When the queue was last empty.
  bool pump_scheduled_ GUARDED_BY(mutex_) = false;
  bool flushing_ GUARDED_BY(mutex_) = false;
  bool busy_ GUARDED_BY(mutex_) = false;  // A batch is under way or waits to be repeated.

  // Of the lane alone.
  Batch batch_;
  Millis backoff_;
  bool failing_ = false;

  std::unique_ptr<Executor> lane_;  // Last: it goes first, and its tasks use all of the above.
};

}  // namespace tocsin::push
