#include "daemon/poll/poller.h"

#include <algorithm>
#include <map>

#include "daemon/poll/target_loop.h"

namespace tocsin::poll {
namespace {

constexpr int kHttpLanes = 2;  // Starts, parses and records the pages of all HTTP targets.

}  // namespace

// A target and the lane it runs on. Destroying it ends an own lane first.
struct Poller::Running {
  std::shared_ptr<TargetLoop> loop;
  std::unique_ptr<Executor> own_lane;  // Null for HTTP targets.
  Executor* lane = nullptr;
};

Poller::Poller(const Clock& clock, ExecutorFactory& executors, HttpClient& http, FileSystem& files,
               model::SampleSink& sink, const model::Querier& stored, Millis lookback,
               MetricRegistry& registry)
    : clock_(clock),
      executors_(executors),
      http_(http),
      files_(files),
      sink_(sink),
      last_life_{stored, lookback, clock.WallNow()},
      metrics_(registry) {
  for (int i = 0; i < kHttpLanes; ++i) {
    http_lanes_.push_back(executors_.NewExecutor("http-" + std::to_string(i)));
  }
}

Poller::~Poller() { Stop(); }

void Poller::Apply(const PollConfig& config) {
  std::map<std::string, std::shared_ptr<Running>> unchanged;
  const auto key = [](const TargetConfig& target) {
    return std::string(target.kind->name) + "/" + target.name + "/" + target.fingerprint;
  };
  for (const auto& running : Targets()) unchanged[key(running->loop->config())] = running;

  std::vector<std::shared_ptr<Running>> kept(config.targets.size());
  for (std::size_t i = 0; i < config.targets.size(); ++i) {
    const auto known = unchanged.find(key(config.targets[i]));
    if (known == unchanged.end()) continue;
    kept[i] = known->second;
    unchanged.erase(known);
  }
  std::vector<std::shared_ptr<Running>> starting;
  for (std::size_t i = 0; i < config.targets.size(); ++i) {
    if (kept[i]) continue;
    kept[i] = MakeTarget(config.targets[i]);
    starting.push_back(kept[i]);
  }
  metrics_.targets.Set(static_cast<double>(kept.size()));
  {
    MutexLock lock(mutex_);
    targets_ = std::move(kept);
  }
  // A changed target is known to be not polled yet when its old series end, so that
  // its alerts are held; and they end before its new ones begin.
  std::vector<std::shared_ptr<Running>> stopping;
  for (auto& [name, running] : unchanged) stopping.push_back(running);
  StopTargets(std::move(stopping), true);
  for (const auto& running : starting) running->loop->Start();
}

void Poller::Stop() {
  std::vector<std::shared_ptr<Running>> stopping;
  {
    MutexLock lock(mutex_);
    stopping.swap(targets_);
  }
  StopTargets(std::move(stopping), false);
}

std::shared_ptr<Poller::Running> Poller::MakeTarget(const TargetConfig& config) {
  auto running = std::make_shared<Running>();
  const collectors::CollectorEnvironment environment{clock_, files_};
  const bool is_http = config.kind->name == "http" || config.kind->name == "prometheus";
  if (is_http) {
    running->lane = http_lanes_[next_http_lane_++ % http_lanes_.size()].get();
  } else {
    running->own_lane = executors_.NewExecutor(std::string(config.kind->name) + "-" + config.name);
    running->lane = running->own_lane.get();
  }
  running->loop = std::make_shared<TargetLoop>(config, clock_, *running->lane, http_, environment,
                                               sink_, last_life_, metrics_);
  return running;
}

void Poller::StopTargets(std::vector<std::shared_ptr<Running>> stopping, bool end_series) {
  for (const auto& running : stopping) running->loop->RequestStop();
  for (const auto& running : stopping) {
    // An own lane ends when its running task has.
    running->own_lane.reset();
    running->loop->Finish(end_series);
    if (running->loop->State().health == model::TargetHealth::kDown) {
      metrics_.targets_down.Add(-1);
    }
  }
}

std::vector<std::shared_ptr<Poller::Running>> Poller::Targets() const {
  MutexLock lock(mutex_);
  return targets_;
}

std::vector<model::SourceState> Poller::Snapshot() const {
  std::vector<model::SourceState> states;
  for (const auto& running : Targets()) states.push_back(running->loop->State());
  return states;
}

std::vector<TargetPage> Poller::Pages() const {
  std::vector<TargetPage> pages;
  for (const auto& running : Targets()) pages.push_back(running->loop->Page());
  return pages;
}

}  // namespace tocsin::poll
