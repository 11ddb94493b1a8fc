#include "daemon/push/alertmanager.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/base/http_config.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/push/answer.h"
#include "daemon/push/retry_after.h"

namespace tocsin::push {
namespace {

nlohmann::json ToJson(const model::Labels& labels) {
  nlohmann::json map = nlohmann::json::object();
  for (const auto [name, value] : labels) map[ValidUtf8(name)] = ValidUtf8(value);
  return map;
}

// These alerts are wrong; all else (credentials, a proxy, a wrong path) can be mended
// over there while they wait.
bool IsRefusedForGood(const HttpExchange& exchange) {
  const int status = exchange.response.status;
  return !exchange.error && (status == 400 || status == 413 || status == 422);
}

}  // namespace

std::string EncodeAlerts(std::span<const model::Alert> alerts) {
  nlohmann::json body = nlohmann::json::array();
  for (const model::Alert& alert : alerts) {
    body.push_back({{"labels", ToJson(alert.labels)},
                    {"annotations", ToJson(alert.annotations)},
                    {"startsAt", FormatTime(alert.starts_at)},
                    {"endsAt", FormatTime(alert.ends_at)},
                    {"generatorURL", ValidUtf8(alert.generator_url)}});
  }
  return body.dump();
}

AlertmanagerDestination::AlertmanagerDestination(AlertmanagerConfig config, const Clock& clock,
                                                 ExecutorFactory& executors, HttpClient& client,
                                                 FileSystem& files, MetricRegistry& registry)
    : config_(std::move(config)),
      clock_(clock),
      files_(files),
      metrics_(registry, config_.name),
      sender_(client),
      lane_(executors.NewExecutor("alertmanager")) {
  sender_.Open(*lane_);
}

AlertmanagerDestination::~AlertmanagerDestination() { sender_.Close(); }

void AlertmanagerDestination::Offer(std::span<const model::Alert> alerts) {
  std::vector<model::Alert> relabelled;
  for (const model::Alert& alert : alerts) {
    std::optional<model::Labels> labels = alert.labels;
    if (!config_.relabel.empty()) labels = config_.relabel.Apply(alert.labels);
    if (!labels || labels->empty()) continue;
    relabelled.push_back(alert);
    relabelled.back().labels = *std::move(labels);
  }
  if (relabelled.empty()) return;
  {
    MutexLock lock(mutex_);
    for (model::Alert& alert : relabelled) Queue(std::move(alert));
    metrics_.pending.Set(static_cast<double>(queue_.size()));
  }
  lane_->Post([this] { Pump(); });
}

void AlertmanagerDestination::Queue(model::Alert alert) {
  const auto [known, is_new] = places_.try_emplace(alert.labels, next_place_);
  if (is_new) ++next_place_;
  queue_.insert_or_assign(known->second, std::move(alert));
  while (queue_.size() > kCapacity) {
    places_.erase(queue_.begin()->second.labels);
    queue_.erase(queue_.begin());
    metrics_.dropped_full.Add();
  }
}

void AlertmanagerDestination::Flush() {
  {
    MutexLock lock(mutex_);
    not_before_ = SteadyTime();
  }
  lane_->Post([this] { Pump(); });
}

bool AlertmanagerDestination::Idle() const {
  MutexLock lock(mutex_);
  return queue_.empty() && !busy_;
}

// Sends the next batch, unless one is under way or has just failed.
void AlertmanagerDestination::Pump() {
  std::vector<model::Alert> alerts;
  {
    MutexLock lock(mutex_);
    if (busy_ || queue_.empty() || clock_.SteadyNow() < not_before_) return;
    busy_ = true;
    while (!queue_.empty() && batch_.size() < kMaxAlertsPerSend) {
      auto first = queue_.extract(queue_.begin());
      places_.erase(first.mapped().labels);
      alerts.push_back(first.mapped());
      batch_.emplace_back(first.key(), std::move(first.mapped()));
    }
  }
  HttpRequest request = config_.request;
  RenewCredentials(request, files_);
  request.method = "POST";
  request.url += kAlertsPath;
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = EncodeAlerts(alerts);
  request.max_body_bytes = kMaxAnswerBytes;
  sender_.Send(std::move(request), clock_.SteadyNow() + config_.timeout,
               [this](const HttpExchange& exchange) { Finish(exchange); });
}

void AlertmanagerDestination::Finish(const HttpExchange& exchange) {
  Millis wait{0};
  if (IsAccepted(exchange)) {
    metrics_.sent.Add(static_cast<double>(batch_.size()));
    backoff_ = kMinBackoff;
    Say(/*failing=*/false, {});
  } else if (!IsRefusedForGood(exchange)) {
    metrics_.retries.Add();
    PutBack();
    const auto asked = RetryAfter(exchange.response.Header("Retry-After"), clock_.WallNow());
    wait = asked ? std::max(*asked, backoff_) : backoff_;
    backoff_ = std::min(backoff_ * 2, kMaxBackoff);
    Say(/*failing=*/true, WhyRefused(exchange));
  } else {
    metrics_.dropped_refused.Add(static_cast<double>(batch_.size()));
    Say(/*failing=*/true, WhyRefused(exchange));
  }
  batch_.clear();
  const SteadyTime next = clock_.SteadyNow() + wait;
  {
    MutexLock lock(mutex_);
    busy_ = false;
    not_before_ = next;
    metrics_.pending.Set(static_cast<double>(queue_.size()));
  }
  lane_->RunAt(next, [this] { Pump(); });
}

// What was not accepted waits at its old place, unless newer news of it do already.
void AlertmanagerDestination::PutBack() {
  MutexLock lock(mutex_);
  for (auto& [place, alert] : batch_) {
    if (!places_.try_emplace(alert.labels, place).second) continue;
    queue_.emplace(place, std::move(alert));
  }
}

// On change only.
void AlertmanagerDestination::Say(bool failing, const std::string& why) {
  if (failing == failing_) return;
  failing_ = failing;
  if (failing) {
    LogWarning(
        "an Alertmanager does not take alerts; they wait in memory, or are lost if it refuses them",
        {{"destination", config_.name}, {"error", why}});
  } else {
    LogInfo("the Alertmanager takes alerts again", {{"destination", config_.name}});
  }
}

}  // namespace tocsin::push
