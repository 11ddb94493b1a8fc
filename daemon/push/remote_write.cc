#include "daemon/push/remote_write.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/http_config.h"
#include "daemon/base/log.h"
#include "daemon/formats/remote_write.h"
#include "daemon/push/answer.h"
#include "daemon/push/retry_after.h"

namespace tocsin::push {

RemoteWriteDestination::RemoteWriteDestination(RemoteWriteConfig config,
                                               model::Labels external_labels, const Clock& clock,
                                               ExecutorFactory& executors, HttpClient& client,
                                               FileSystem& files, MetricRegistry& registry)
    : config_(std::move(config)),
      external_labels_(std::move(external_labels)),
      clock_(clock),
      files_(files),
      metrics_(registry, config_.name),
      sender_(client),
      backoff_(config_.queue.min_backoff),
      lane_(executors.NewExecutor("remote-write")) {
  sender_.Open(*lane_);
  metrics_.capacity.Set(static_cast<double>(config_.queue.capacity));
  metrics_.pending.Set(0);
}

RemoteWriteDestination::~RemoteWriteDestination() { sender_.Close(); }

void RemoteWriteDestination::Offer(std::span<const model::SeriesSample> samples) {
  if (samples.empty()) return;
  std::size_t dropped = 0;
  MutexLock lock(mutex_);
  if (queue_.empty()) oldest_since_ = clock_.SteadyNow();
  for (const model::SeriesSample& sample : samples) {
    queue_.push_back({sample.series->labels, sample.time_ms, sample.value});
  }
  while (static_cast<std::int64_t>(queue_.size()) > config_.queue.capacity) {
    queue_.pop_front();
    ++dropped;
  }
  metrics_.queued.Add(static_cast<double>(samples.size()));
  metrics_.dropped_full.Add(static_cast<double>(dropped));
  metrics_.pending.Add(static_cast<double>(samples.size()) - static_cast<double>(dropped));
  const bool full = static_cast<std::int64_t>(queue_.size()) >= config_.queue.max_samples_per_send;
  if (busy_ || (pump_scheduled_ && !full)) return;
  pump_scheduled_ = true;
  const auto wait = full ? Millis(0) : config_.queue.batch_deadline;
  lane_->RunAt(clock_.SteadyNow() + wait, [this] { Pump(); });
}

void RemoteWriteDestination::Flush() {
  MutexLock lock(mutex_);
  if (queue_.empty()) return;
  flushing_ = true;
  lane_->Post([this] { Pump(); });
}

bool RemoteWriteDestination::Idle() const {
  MutexLock lock(mutex_);
  return queue_.empty() && !busy_;
}

void RemoteWriteDestination::Pump() {
  if (TakeBatch()) SendBatch();
}

// Encodes the next batch, if one is due. Returns whether there is something to send.
bool RemoteWriteDestination::TakeBatch() {
  std::vector<Queued> taken;
  {
    MutexLock lock(mutex_);
    if (busy_) return false;
    const auto limit = static_cast<std::size_t>(config_.queue.max_samples_per_send);
    const SteadyTime due = oldest_since_ + config_.queue.batch_deadline;
    pump_scheduled_ = false;
    if (queue_.empty()) {
      flushing_ = false;
      return false;
    }
    if (queue_.size() < limit && !flushing_ && clock_.SteadyNow() < due) {
      pump_scheduled_ = true;
      lane_->RunAt(due, [this] { Pump(); });
      return false;
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), limit));
    taken.assign(std::make_move_iterator(queue_.begin()),
                 std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    oldest_since_ = clock_.SteadyNow();
    busy_ = true;
  }
  Encode(taken);
  return true;
}

// External labels are added where the series has none of the name, then the rules run.
void RemoteWriteDestination::Encode(std::span<const Queued> samples) {
  std::vector<formats::RemoteWriteSeries> all;
  std::unordered_map<model::Labels, std::size_t, model::LabelsHash> places;
  for (const Queued& queued : samples) {
    const auto [place, is_new] = places.try_emplace(queued.labels, all.size());
    if (is_new) {
      std::optional<model::Labels> labels =
          external_labels_.empty() ? queued.labels : external_labels_.Overlay(queued.labels);
      if (!config_.relabel.empty()) labels = config_.relabel.Apply(*labels);
      // What is relabelled away has no name, and is left out below.
      all.push_back({labels ? *std::move(labels) : model::Labels(), {}});
    }
    all[place->second].samples.push_back({queued.time_ms, queued.value});
  }
  std::erase_if(all, [](const auto& series) { return series.labels.Name().empty(); });
  batch_.samples = static_cast<std::int64_t>(samples.size());
  batch_.encoded = 0;
  for (const auto& series : all) {
    batch_.encoded += static_cast<std::int64_t>(series.samples.size());
  }
  batch_.body = all.empty() ? std::string() : formats::EncodeRemoteWrite(all);
}

void RemoteWriteDestination::SendBatch() {
  if (batch_.body.empty()) {  // All of it was relabelled away.
    metrics_.pending.Add(-static_cast<double>(batch_.samples));
    {
      MutexLock lock(mutex_);
      busy_ = false;
    }
    Pump();
    return;
  }
  HttpRequest request = config_.request;
  RenewCredentials(request, files_);
  for (auto& header : formats::RemoteWriteHeaders()) request.headers.push_back(std::move(header));
  request.body = batch_.body;
  request.max_body_bytes = kMaxAnswerBytes;
  sender_.Send(std::move(request), clock_.SteadyNow() + config_.timeout,
               [this](HttpExchange exchange) { Finish(std::move(exchange)); });
}

void RemoteWriteDestination::Finish(HttpExchange exchange) {
  metrics_.duration.Observe(exchange.response.duration_seconds);
  if (!IsAccepted(exchange) && IsRecoverable(exchange)) {
    Retry(exchange, WhyRefused(exchange));
    return;
  }
  const auto encoded = static_cast<double>(batch_.encoded);
  metrics_.pending.Add(-static_cast<double>(batch_.samples));
  if (IsAccepted(exchange)) {
    metrics_.sent.Add(encoded);
    metrics_.last_sent.Set(static_cast<double>(ToUnixMillis(clock_.WallNow())) / 1000);
    Say(/*failing=*/false, {});
  } else {
    metrics_.dropped_refused.Add(encoded);
    Say(/*failing=*/true, WhyRefused(exchange));
  }
  backoff_ = config_.queue.min_backoff;
  batch_ = {};
  {
    MutexLock lock(mutex_);
    busy_ = false;
  }
  Pump();
}

void RemoteWriteDestination::Retry(const HttpExchange& exchange, const std::string& why) {
  metrics_.retries.Add();
  Say(/*failing=*/true, why);
  const auto asked = RetryAfter(exchange.response.Header("Retry-After"), clock_.WallNow());
  const Millis wait = asked ? std::max(*asked, backoff_) : backoff_;
  backoff_ = std::min(backoff_ * 2, config_.queue.max_backoff);
  lane_->RunAt(clock_.SteadyNow() + wait, [this] { SendBatch(); });
}

// On change only.
void RemoteWriteDestination::Say(bool failing, const std::string& why) {
  if (failing == failing_) return;
  failing_ = failing;
  if (failing) {
    LogWarning("remote write fails; samples wait in memory or are lost",
               {{"destination", config_.name}, {"error", why}});
  } else {
    LogInfo("remote write works again", {{"destination", config_.name}});
  }
}

}  // namespace tocsin::push
