#include "daemon/poll/target_loop.h"

#include <algorithm>

#include "daemon/base/log.h"
#include "daemon/base/text.h"

namespace tocsin::poll {
namespace {

// A timer that wakes this late still counts as on time, so that timestamps lie
// on the grid and compress to almost nothing (Prometheus does the same).
constexpr Millis kTimestampTolerance{2};

std::uint64_t PhaseHash(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// The first slot of the target after `after`.
WallTime NextSlot(const TargetConfig& config, WallTime after) {
  const std::int64_t interval = config.interval.count();
  const auto phase =
      static_cast<std::int64_t>(PhaseHash(std::string(config.kind->name) + "/" + config.name) %
                                static_cast<std::uint64_t>(interval));
  const std::int64_t since_phase = ToUnixMillis(after) - phase;
  return FromUnixMillis((since_phase / interval + 1) * interval + phase);
}

// A library's exception that a collector let through ends that collection, not the
// daemon that watches everything else.
template <class Collect>
Result<> Guarded(Collect collect) {
  try {
    return collect();
  } catch (const std::exception& exception) {
    return Error{ErrorCode::kInternal, std::string("unexpected exception: ") + exception.what()};
  }
}

}  // namespace

TargetLoop::TargetLoop(TargetConfig config, const Clock& clock, Executor& lane, HttpClient& http,
                       const collectors::CollectorEnvironment& environment, model::SampleSink& sink,
                       const LastLife& last_life, PollMetrics& metrics)
    : config_(std::move(config)),
      clock_(clock),
      lane_(lane),
      http_(http),
      metrics_(metrics),
      recorder_(config_, sink, last_life, metrics),
      collector_(config_.parsed.make({environment.clock, environment.files, config_.labels})),
      batch_(std::make_shared<model::MetricBatch>()) {
  state_.kind = config_.kind->name;
  state_.name = config_.name;
  state_.labels = config_.labels;
  state_.address = config_.parsed.address;
  state_.interval = config_.interval;
  state_.timeout = config_.timeout;
}

void TargetLoop::Start() { ScheduleNext(clock_.WallNow()); }

void TargetLoop::RequestStop() {
  HttpClient::RequestId request = 0;
  {
    MutexLock lock(lane_mutex_);
    if (stopped_) return;
    stopped_ = true;
    lane_.Cancel(next_);
    request = request_;
  }
  stop_.request_stop();
  if (request != 0) http_.Cancel(request);
}

void TargetLoop::Finish(bool end_series) {
  MutexLock lock(running_);
  if (end_series) recorder_.End(clock_.WallNow());
}

bool TargetLoop::stopped() const {
  MutexLock lock(lane_mutex_);
  return stopped_;
}

void TargetLoop::Post(SteadyTime when, std::function<void()> task) {
  MutexLock lock(lane_mutex_);
  if (stopped_) return;
  next_ = lane_.RunAt(when, [self = shared_from_this(), task = std::move(task)] {
    MutexLock running(self->running_);
    if (!self->stopped()) task();
  });
}

void TargetLoop::ScheduleNext(WallTime after) {
  const WallTime slot = NextSlot(config_, after);
  const Millis wait = slot - clock_.WallNow();
  Post(clock_.SteadyNow() + wait, [this, slot] {
    running_.AssertHeld();
    Collect(slot);
  });
}

void TargetLoop::Collect(WallTime slot) {
  metrics_.collections.Add();
  const WallTime now = clock_.WallNow();
  const WallTime at = std::chrono::abs(now - slot) <= kTimestampTolerance ? slot : now;
  const collectors::CollectContext context{clock_, at, clock_.SteadyNow() + config_.timeout,
                                           stop_.get_token()};
  if (auto* blocking = std::get_if<std::unique_ptr<collectors::Collector>>(&collector_)) {
    CollectBlocking(**blocking, context);
  } else {
    CollectHttp(*std::get<std::unique_ptr<collectors::HttpCollector>>(collector_), context);
  }
}

void TargetLoop::CollectBlocking(collectors::Collector& collector,
                                 const collectors::CollectContext& context) {
  const SteadyTime started = clock_.SteadyNow();
  model::MetricBatch& batch = *batch_;
  const Result<> result = Guarded([&] { return collector.Collect(context, batch); });
  Finished(context, started, result);
}

void TargetLoop::CollectHttp(collectors::HttpCollector& collector,
                             const collectors::CollectContext& context) {
  Send(collector, context, clock_.SteadyNow(), collector.Start(context));
}

void TargetLoop::Send(collectors::HttpCollector& collector,
                      const collectors::CollectContext& context, SteadyTime started,
                      HttpRequest message) {
  const auto done = [self = shared_from_this(), &collector, context,
                     started](HttpExchange exchange) {
    auto shared = std::make_shared<HttpExchange>(std::move(exchange));
    self->Post(self->clock_.SteadyNow(), [self, &collector, context, started, shared] {
      self->running_.AssertHeld();
      self->TakeExchange(collector, context, started, std::move(*shared));
    });
  };
  const auto request = http_.Start(std::move(message), context.deadline, done);
  bool too_late;
  {
    MutexLock lock(lane_mutex_);
    request_ = request;
    too_late = stopped_;
  }
  if (too_late) http_.Cancel(request);
}

void TargetLoop::TakeExchange(collectors::HttpCollector& collector,
                              const collectors::CollectContext& context, SteadyTime started,
                              HttpExchange exchange) {
  const SteadyTime retry_at = clock_.SteadyNow() + collectors::kRetryDelay;
  auto again = std::make_shared<std::optional<HttpRequest>>();
  model::MetricBatch& batch = *batch_;
  const Result<> result = Guarded([&]() -> Result<> {
    if (retry_at < context.deadline) *again = collector.Again(context, exchange);
    if (*again) return Ok{};
    return collector.Finish(context, std::move(exchange), batch);
  });
  if (!*again) {
    Finished(context, started, result);
    return;
  }
  Post(retry_at, [self = shared_from_this(), &collector, context, started, again] {
    self->running_.AssertHeld();
    self->Send(collector, context, started, std::move(**again));
  });
}

void TargetLoop::Finished(const collectors::CollectContext& context, SteadyTime started,
                          const Result<>& result) {
  if (stopped()) return;  // What was cut short is not the target's fault.
  const double duration = ToSeconds(clock_.SteadyNow() - started);
  Outcome outcome = AnnounceFailures(context, result);
  const auto summary =
      recorder_.Record(context.at, duration, *batch_, result.ok() ? nullptr : &result.error());
  if (!result.ok()) metrics_.failures.Add();
  Publish(context, duration, result, summary.samples, std::move(outcome));
  const WallTime now = clock_.WallNow();
  const WallTime next = NextSlot(config_, context.at);
  if (next < now) metrics_.skipped.Add(static_cast<double>((now - next) / config_.interval + 1));
  // A clock set back in between must not stop polling until it has caught up.
  const bool set_back = context.at - now > kTimestampTolerance;
  ScheduleNext(set_back ? now : std::max(now, context.at));
}

TargetLoop::Outcome TargetLoop::AnnounceFailures(const collectors::CollectContext& context,
                                                 const Result<>& result) {
  MutexLock lock(mutex_);
  Outcome outcome{state_.health, {}};
  if (!result.ok()) {
    state_.health = model::TargetHealth::kDown;
    state_.last_error = result.error().message;
    if (outcome.before != model::TargetHealth::kDown) state_.failing_since = context.at;
    return outcome;
  }
  outcome.failed_parts = parts_.Note(*batch_, context.at);
  for (const model::FailedPart& failed : outcome.failed_parts) {
    std::erase_if(state_.failed_parts,
                  [&](const model::FailedPart& known) { return known.name == failed.name; });
    state_.failed_parts.push_back(failed);
  }
  return outcome;
}

void TargetLoop::NoteRecoveries(model::TargetHealth before,
                                const std::vector<model::FailedPart>& failed_before) {
  const SteadyTime now = clock_.SteadyNow();
  if (before != model::TargetHealth::kUp) state_.recovered_at = now;
  for (const model::FailedPart& part : failed_before) {
    const bool fails_still =
        std::any_of(state_.failed_parts.begin(), state_.failed_parts.end(),
                    [&](const model::FailedPart& failed) { return failed.name == part.name; });
    if (fails_still || part.recovered_at) continue;
    state_.failed_parts.push_back(part);
    state_.failed_parts.back().recovered_at = now;
  }
}

void TargetLoop::Publish(const collectors::CollectContext& context, double duration_seconds,
                         const Result<>& result, std::int64_t samples, Outcome outcome) {
  const model::TargetHealth before = outcome.before;
  std::vector<std::string> new_notes;
  {
    MutexLock lock(mutex_);
    state_.health = result.ok() ? model::TargetHealth::kUp : model::TargetHealth::kDown;
    state_.failed_parts.swap(outcome.failed_parts);
    if (result.ok()) NoteRecoveries(before, outcome.failed_parts);
    state_.last_poll = context.at;
    state_.last_duration_seconds = duration_seconds;
    state_.last_error = result.ok() ? "" : result.error().message;
    state_.samples = samples;
    if (result.ok()) {
      state_.failing_since = WallTime();
      if (state_.notes != batch_->notes()) new_notes = batch_->notes();
      state_.notes = batch_->notes();
      published_.swap(batch_);
    } else {
      published_.reset();
    }
    published_at_ = context.at;
  }
  // Whoever still reads the page before keeps it; its memory is used again otherwise.
  if (!batch_ || batch_.use_count() > 1) batch_ = std::make_shared<model::MetricBatch>();
  batch_->Clear();  // Now: it may hold what the collector has no more.
  const std::string target = std::string(config_.kind->name) + "/" + config_.name;
  if (!result.ok() && before != model::TargetHealth::kDown) {
    LogWarning("target is down", {{"target", target}, {"error", result.error().message}});
    metrics_.targets_down.Add(1);
  } else if (result.ok() && before != model::TargetHealth::kUp) {
    if (before == model::TargetHealth::kDown) metrics_.targets_down.Add(-1);
    LogInfo("target is up", {{"target", target}, {"address", config_.parsed.address}});
  }
  for (const std::string& note : new_notes) LogInfo(note, {{"target", target}});
}

model::SourceState TargetLoop::State() const {
  MutexLock lock(mutex_);
  return state_;
}

TargetPage TargetLoop::Page() const {
  TargetPage page;
  page.kind = config_.kind->name;
  page.name = config_.name;
  page.labels = config_.labels;
  page.honor_labels = config_.parsed.honor_labels;
  page.up_metric = config_.kind->up_metric;
  page.up_help = config_.kind->up_help;
  page.exporter = config_.kind->exporter;
  MutexLock lock(mutex_);
  page.up = state_.health == model::TargetHealth::kUp;
  page.duration_seconds = state_.last_duration_seconds;
  page.at = published_at_;
  page.batch = published_;
  return page;
}

}  // namespace tocsin::poll
