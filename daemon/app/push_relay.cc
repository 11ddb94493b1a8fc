#include "daemon/app/push_relay.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "daemon/formats/exposition.h"

namespace tocsin::app {
namespace {

constexpr Millis kIdleLook{10};  // How often an ending daemon asks whether all is sent.

// A page for each target, grouped by the target's labels.
std::vector<push::PushPage> PagesOf(const poll::Poller& poller, const model::Labels& external) {
  std::vector<push::PushPage> pages;
  formats::TextOptions options;
  options.timestamps = false;  // The Pushgateway refuses them.
  for (const poll::TargetPage& target : poller.Pages()) {
    if (target.at == WallTime()) continue;  // Not collected yet.
    formats::TextPage page;
    page.Add(poll::VerdictsOf(target), model::Labels(), false);
    if (target.batch) page.Add(target.batch, model::Labels(), false);
    push::PushPage pushed;
    pushed.grouping = external.Overlay(target.labels);
    page.AppendTo(options, pushed.body);
    pages.push_back(std::move(pushed));
  }
  return pages;
}

}  // namespace

PushRelay::PushRelay(const poll::Poller& poller, const Clock& clock, ExecutorFactory& executors,
                     HttpClient& http, FileSystem& files, MetricRegistry& registry)
    : poller_(poller),
      clock_(clock),
      executors_(executors),
      http_(http),
      files_(files),
      registry_(registry) {}

void PushRelay::Apply(const push::PushConfig& config, const model::Labels& external_labels,
                      const std::string& digest) {
  if (digest == digest_) return;
  digest_ = digest;
  Swap(nullptr);  // Two Pushers would tell one Pushgateway different things.
  if (config.empty()) return;
  const auto pages = [this, external_labels] { return PagesOf(poller_, external_labels); };
  Swap(std::make_shared<push::Pusher>(config, external_labels, pages, clock_, executors_, http_,
                                      files_, registry_));
}

void PushRelay::Stop(SteadyTime deadline) {
  if (const auto pusher = Present()) {
    pusher->Flush();
    std::mutex mutex;
    std::condition_variable nobody_tells;
    std::unique_lock lock(mutex);
    while (!pusher->Idle() && clock_.SteadyNow() < deadline) {
      nobody_tells.wait_for(lock, kIdleLook);
    }
  }
  Swap(nullptr);
}

void PushRelay::OnCommit(const model::CommitContext& context,
                         std::span<const model::SeriesSample> samples) {
  if (const auto pusher = Present()) pusher->OnCommit(context, samples);
}

void PushRelay::OnAlerts(std::span<const model::Alert> alerts) {
  if (const auto pusher = Present()) pusher->OnAlerts(alerts);
}

std::shared_ptr<push::Pusher> PushRelay::Present() {
  MutexLock lock(mutex_);
  return pusher_;
}

void PushRelay::Swap(std::shared_ptr<push::Pusher> next) {
  {
    MutexLock lock(mutex_);
    pusher_.swap(next);
  }
  // The one before ends here, or with the commit that still uses it.
}

}  // namespace tocsin::app
