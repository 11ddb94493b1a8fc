#include "tests/demo/standins/standins.h"

#include <httplib.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/demo/standins/rate_limit.h"
#include "tests/demo/standins/vendor_rules.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

constexpr const char* kWebhookPath = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
constexpr const char* kEnqueuePath = "/v2/enqueue";
constexpr const char* kRoutingKey = "d3m0d3m0d3m0d3m0d3m0d3m0d3m0d3m0";
constexpr double kSlackPerSecond = 1;
constexpr double kSlackBurst = 10;
constexpr std::size_t kPagerDutyPerMinute = 120;
constexpr std::size_t kMaxBodyBytes = 4 << 20;

bool IsJson(const httplib::Request& request) {
  return request.get_header_value("Content-Type").rfind("application/json", 0) == 0;
}

std::string WithoutKey(std::string body, const std::string& key) {
  if (key.empty()) return body;
  for (auto at = body.find(key); at != std::string::npos; at = body.find(key, at)) {
    body.replace(at, key.size(), "<routing key>");
  }
  return body;
}

WallTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }

}  // namespace

struct StandIns::Impl {
  std::function<void(const Message&)> on_message;
  httplib::Server slack;
  httplib::Server pagerduty;
  std::string slack_url;
  std::string pagerduty_url;
  std::string routing_key = kRoutingKey;
  std::thread slack_thread;
  std::thread pagerduty_thread;

  mutable std::mutex mutex;
  TokenBucket slack_rate{kSlackPerSecond, kSlackBurst};
  std::map<std::string, SlidingWindow> pagerduty_rates;
  std::vector<Message> messages;
  int refusals = 0;

  void ReceiveSlack(const httplib::Request& request, httplib::Response& response);
  void ReceivePagerDuty(const httplib::Request& request, httplib::Response& response);
  void Keep(Message message, bool refused);
  Result<int> Listen(httplib::Server& server, std::thread& thread);
};

void StandIns::Impl::Keep(Message message, bool refused) {
  {
    const std::lock_guard lock(mutex);
    messages.push_back(message);
    if (refused) ++refusals;
  }
  if (on_message) on_message(message);
}

void StandIns::Impl::ReceiveSlack(const httplib::Request& request, httplib::Response& response) {
  Message message{.vendor = Vendor::kSlack, .received_at = Now(), .body = request.body};
  int wait = 0;
  {
    const std::lock_guard lock(mutex);
    wait = slack_rate.Take(std::chrono::steady_clock::now());
  }
  if (wait > 0) {
    response.status = message.status = 429;
    response.set_header("Retry-After", std::to_string(wait));
    response.set_content(
        json({{"ok", false}, {"error", "rate_limited"}, {"retry_after", wait}}).dump(),
        "application/json");
    message.refusal = "too fast, Retry-After " + std::to_string(wait) + " s";
    return Keep(std::move(message), /*refused=*/false);
  }
  auto verdict = JudgeSlackMessage(request.body);
  if (!IsJson(request)) {
    verdict.refusal = "invalid_payload";
    verdict.reason = "Content-Type is not application/json";
  }
  message.headline = verdict.headline;
  if (verdict.refusal.empty()) {
    response.status = message.status = 200;
    response.set_content("ok", "text/html");
  } else {
    response.status = message.status = 400;
    message.refusal = verdict.refusal + ": " + verdict.reason;
    response.set_content(verdict.refusal, "text/html");
  }
  Keep(std::move(message), !verdict.refusal.empty());
}

void StandIns::Impl::ReceivePagerDuty(const httplib::Request& request,
                                      httplib::Response& response) {
  Message message{.vendor = Vendor::kPagerDuty, .received_at = Now()};
  if (request.body.size() > kPagerDutyBodyLimit) {
    response.status = message.status = 413;
    message.refusal = "larger than 512 KB";
    return Keep(std::move(message), /*refused=*/true);
  }
  auto verdict = JudgePagerDutyEvent(request.body);
  if (!IsJson(request)) verdict.errors.push_back("Content-Type is not application/json");
  message.body = WithoutKey(request.body, verdict.routing_key);
  message.action = verdict.action;
  message.severity = verdict.severity;
  message.dedup_key = verdict.dedup_key;
  message.headline = verdict.summary.empty() ? verdict.dedup_key : verdict.summary;
  if (!verdict.errors.empty()) {
    response.status = message.status = 400;
    message.refusal = json(verdict.errors).dump();
    response.set_content(json({{"status", "invalid event"},
                               {"message", "Event object is invalid"},
                               {"errors", verdict.errors}})
                             .dump(),
                         "application/json");
    return Keep(std::move(message), /*refused=*/true);
  }
  int wait = 0;
  {
    const std::lock_guard lock(mutex);
    auto& rate = pagerduty_rates
                     .try_emplace(verdict.routing_key, kPagerDutyPerMinute, std::chrono::minutes(1))
                     .first->second;
    wait = rate.Take(std::chrono::steady_clock::now());
  }
  if (wait > 0) {
    response.status = message.status = 429;
    response.set_header("Retry-After", std::to_string(wait));
    response.set_content(
        json({{"status", "throttle exceeded"},
              {"message",
               "Requests for this service are arriving too quickly.  Please retry later."}})
            .dump(),
        "application/json");
    message.refusal = "too fast, Retry-After " + std::to_string(wait) + " s";
    return Keep(std::move(message), /*refused=*/false);
  }
  response.status = message.status = 202;
  response.set_content(
      json(
          {{"status", "success"}, {"message", "Event processed"}, {"dedup_key", verdict.dedup_key}})
          .dump(),
      "application/json");
  Keep(std::move(message), /*refused=*/false);
}

Result<int> StandIns::Impl::Listen(httplib::Server& server, std::thread& thread) {
  server.set_payload_max_length(kMaxBodyBytes);
  const int port = server.bind_to_any_port("127.0.0.1");
  if (port < 0) return Error{ErrorCode::kUnavailable, "cannot listen on 127.0.0.1"};
  thread = std::thread([&server] { server.listen_after_bind(); });
  // stop() before the accept loop runs would be lost.
  while (!server.is_running()) std::this_thread::yield();
  return port;
}

StandIns::StandIns(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<StandIns>> StandIns::Start(std::function<void(const Message&)> on_message) {
  std::unique_ptr<StandIns> standins(new StandIns(std::make_unique<Impl>()));
  Impl& impl = *standins->impl_;
  impl.on_message = std::move(on_message);
  impl.slack.Post(kWebhookPath, [&impl](const auto& request, auto& response) {
    impl.ReceiveSlack(request, response);
  });
  impl.slack.Post("/services/.*", [](const httplib::Request&, httplib::Response& response) {
    response.status = 404;
    response.set_content("no_service", "text/html");
  });
  impl.pagerduty.Post(kEnqueuePath, [&impl](const auto& request, auto& response) {
    impl.ReceivePagerDuty(request, response);
  });
  TOCSIN_ASSIGN_OR_RETURN(const int slack_port, impl.Listen(impl.slack, impl.slack_thread));
  TOCSIN_ASSIGN_OR_RETURN(const int pagerduty_port,
                          impl.Listen(impl.pagerduty, impl.pagerduty_thread));
  impl.slack_url = "http://127.0.0.1:" + std::to_string(slack_port) + kWebhookPath;
  impl.pagerduty_url = "http://127.0.0.1:" + std::to_string(pagerduty_port) + kEnqueuePath;
  return standins;
}

StandIns::~StandIns() {
  impl_->slack.stop();
  impl_->pagerduty.stop();
  if (impl_->slack_thread.joinable()) impl_->slack_thread.join();
  if (impl_->pagerduty_thread.joinable()) impl_->pagerduty_thread.join();
}

const std::string& StandIns::slack_url() const { return impl_->slack_url; }
const std::string& StandIns::pagerduty_url() const { return impl_->pagerduty_url; }
const std::string& StandIns::routing_key() const { return impl_->routing_key; }

std::vector<Message> StandIns::Messages() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->messages;
}

int StandIns::Refusals() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->refusals;
}

}  // namespace tocsin::demo
