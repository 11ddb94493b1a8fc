#include "daemon/notify/heartbeat.h"

#include <algorithm>

#include "daemon/base/log.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

constexpr Millis kLongestAttempt = std::chrono::seconds(10);

}  // namespace

struct Heartbeat::Shared {
  explicit Shared(const NotifyMetrics& handles) : metrics(handles) {}

  // Logs on change: from good to bad and back.
  void Say(const std::string& problem) {
    {
      MutexLock lock(mutex);
      if (problem.empty() == last_problem.empty()) return;
      last_problem = problem;
    }
    if (problem.empty()) {
      LogInfo("the heartbeat goes out again");
    } else {
      LogWarning("the heartbeat is missing", {{"reason", problem}});
    }
  }

  NotifyMetrics metrics;
  Mutex mutex;
  std::string last_problem GUARDED_BY(mutex);
};

Heartbeat::Heartbeat(const HeartbeatConfig& config, std::function<Result<>()> healthy,
                     const NotifyMetrics& metrics, const Clock& clock, ExecutorFactory& executors,
                     HttpClient& http, FileSystem& files)
    : config_(config),
      healthy_(std::move(healthy)),
      clock_(clock),
      http_(http),
      files_(files),
      shared_(std::make_shared<Shared>(metrics)),
      next_(clock.SteadyNow()),
      owned_lane_(executors.NewExecutor("heartbeat")),
      lane_(owned_lane_.get()) {
  lane_->Post([this] { Beat(); });
}

Heartbeat::~Heartbeat() = default;

void Heartbeat::Beat() {
  next_ = std::max(next_ + config_.every, clock_.SteadyNow());
  lane_->RunAt(next_, [this] { Beat(); });
  const Result<> healthy = healthy_ ? healthy_() : Result<>();
  if (healthy.ok()) {
    Send();
  } else {
    shared_->metrics.heartbeats_withheld.Add();
    shared_->Say(healthy.error().message);
  }
}

void Heartbeat::Send() {
  Secret url = config_.url;
  url.Renew(files_);
  HttpRequest request;
  request.url = url.Reveal();
  request.follow_redirects = true;
  const SteadyTime deadline = clock_.SteadyNow() + std::min(config_.every, kLongestAttempt);
  http_.Start(std::move(request), deadline,
              [shared = shared_, secret = url.Reveal()](HttpExchange exchange) {
                const Verdict verdict = JudgeExchange(exchange, {}, WallTime{});
                if (verdict.outcome == Outcome::kDelivered) {
                  shared->metrics.heartbeats.Add();
                  shared->Say("");
                } else {
                  shared->Say(Redact(verdict.error, {secret}));
                }
              });
}

}  // namespace tocsin::notify
