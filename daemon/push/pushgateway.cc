#include "daemon/push/pushgateway.h"

#include <utility>

#include "daemon/base/base64.h"
#include "daemon/base/http_config.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/push/answer.h"

namespace tocsin::push {
namespace {

constexpr int kStatusNotFound = 404;

void AppendGroupLabel(std::string_view name, std::string_view value, std::string& path) {
  path += '/';
  path += name;
  if (value.empty()) {
    path += "@base64/=";
  } else if (value.find('/') != std::string_view::npos) {
    path += "@base64/" + EncodeBase64(value, Base64Alphabet::kUrl);
  } else {
    path += '/' + PercentEncode(std::string(value));
  }
}

}  // namespace

std::string GroupPath(const model::Labels& grouping) {
  std::string path = "/metrics";
  AppendGroupLabel("job", grouping.Get("job"), path);
  for (const auto [name, value] : grouping) {
    if (name != "job") AppendGroupLabel(name, value, path);
  }
  return path;
}

PushgatewayDestination::PushgatewayDestination(PushgatewayConfig config, PushPages pages,
                                               const Clock& clock, ExecutorFactory& executors,
                                               HttpClient& client, FileSystem& files,
                                               MetricRegistry& registry)
    : config_(std::move(config)),
      pages_(std::move(pages)),
      clock_(clock),
      files_(files),
      metrics_(registry, config_.name),
      sender_(client),
      lane_(executors.NewExecutor("pushgateway")) {
  sender_.Open(*lane_);
  next_tick_ = clock_.SteadyNow() + config_.every;
  lane_->RunAt(next_tick_, [this] { Tick(); });
}

PushgatewayDestination::~PushgatewayDestination() { sender_.Close(); }

void PushgatewayDestination::Flush() {
  MutexLock lock(mutex_);
  ++flushes_;
  lane_->Post([this] {
    BeginRound();
    MutexLock done(mutex_);
    --flushes_;
  });
}

bool PushgatewayDestination::Idle() const {
  MutexLock lock(mutex_);
  return !busy_ && flushes_ == 0;
}

void PushgatewayDestination::Tick() {
  BeginRound();
  next_tick_ += config_.every;
  const SteadyTime now = clock_.SteadyNow();
  while (next_tick_ <= now) {
    next_tick_ += config_.every;
    metrics_.skipped.Add();
  }
  lane_->RunAt(next_tick_, [this] { Tick(); });
}

void PushgatewayDestination::BeginRound() {
  {
    MutexLock lock(mutex_);
    if (busy_) {
      metrics_.skipped.Add();
      return;
    }
    busy_ = true;
  }
  round_error_.clear();
  std::set<std::string> wanted;
  for (PushPage& page : pages_()) {
    if (!config_.job.empty()) page.grouping = page.grouping.With("job", config_.job);
    std::string path = GroupPath(page.grouping);
    wanted.insert(path);
    steps_.push_back({"PUT", std::move(path), std::move(page.body)});
  }
  for (const std::string& path : present_) {
    if (!wanted.contains(path)) steps_.push_back({"DELETE", path, {}});
  }
  Next();
}

void PushgatewayDestination::Next() {
  if (steps_.empty()) {
    EndRound();
    return;
  }
  auto step = std::make_shared<Step>(std::move(steps_.front()));
  steps_.pop_front();
  HttpRequest request = config_.request;
  RenewCredentials(request, files_);
  request.method = step->method;
  request.url += step->path;
  request.headers.emplace_back("Content-Type", formats::kTextContentType);
  request.body = std::move(step->body);
  request.max_body_bytes = kMaxAnswerBytes;
  sender_.Send(std::move(request), clock_.SteadyNow() + config_.timeout,
               [this, step](HttpExchange exchange) { Finish(*step, exchange); });
}

void PushgatewayDestination::Finish(const Step& step, const HttpExchange& exchange) {
  const bool deletes = step.method == "DELETE";
  const bool gone = deletes && exchange.response.status == kStatusNotFound;
  if (IsAccepted(exchange) || (!exchange.error && gone)) {
    if (deletes) {
      present_.erase(step.path);
    } else {
      present_.insert(step.path);
      metrics_.pushes.Add();
    }
  } else {
    metrics_.failures.Add();
    round_error_ = WhyRefused(exchange);
    // Without an answer the rest of the round would fail the same way, one time-out each.
    if (exchange.error) steps_.clear();
  }
  Next();
}

void PushgatewayDestination::EndRound() {
  const bool failing = !round_error_.empty();
  if (!failing) metrics_.last_push.Set(static_cast<double>(ToUnixMillis(clock_.WallNow())) / 1000);
  if (failing != failing_) {
    failing_ = failing;
    if (failing) {
      LogWarning("pushing to the Pushgateway fails; it keeps older values",
                 {{"destination", config_.name}, {"error", round_error_}});
    } else {
      LogInfo("pushing to the Pushgateway works again", {{"destination", config_.name}});
    }
  }
  MutexLock lock(mutex_);
  busy_ = false;
}

}  // namespace tocsin::push
