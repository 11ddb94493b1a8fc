#include "tests/support/scripted_http_client.h"

#include <algorithm>

namespace tocsin::testing {

ScriptedHttpClient::ScriptedHttpClient(const Clock& clock, ExecutorFactory& executors)
    : clock_(clock), lane_(executors.NewExecutor("scripted-http")) {}

ScriptedHttpClient::~ScriptedHttpClient() = default;

void ScriptedHttpClient::Answer(const std::string& url_prefix,
                                std::vector<ScriptedAnswer> answers) {
  auto next = std::make_shared<std::size_t>(0);
  Answer(url_prefix, [next, answers = std::move(answers)](const HttpRequest&) {
    return answers.at(std::min((*next)++, answers.size() - 1));
  });
}

void ScriptedHttpClient::Answer(const std::string& url_prefix, Script script) {
  MutexLock lock(mutex_);
  scripts_[url_prefix] = std::move(script);
}

ScriptedAnswer ScriptedHttpClient::Choose(const HttpRequest& request) {
  Script script;
  {
    MutexLock lock(mutex_);
    std::size_t longest = 0;
    for (const auto& [prefix, candidate] : scripts_) {
      if (prefix.size() >= longest && request.url.starts_with(prefix)) {
        longest = prefix.size();
        script = candidate;
      }
    }
  }
  return script ? script(request) : ScriptedAnswer::Refused();
}

HttpClient::RequestId ScriptedHttpClient::Start(HttpRequest request, SteadyTime deadline,
                                                Done done) {
  ScriptedAnswer answer = Choose(request);
  const SteadyTime now = clock_.SteadyNow();
  if (request.time_limit > Millis(0)) deadline = std::min(deadline, now + request.time_limit);
  const SteadyTime end = answer.hangs ? deadline : std::min(now + answer.after, deadline);
  MutexLock lock(mutex_);
  const RequestId id = next_id_++;
  requests_.push_back(
      {std::move(request), clock_.WallNow(), deadline, std::move(answer), /*finished=*/false});
  // The task takes the lock, so it cannot run before the entry is there.
  const TaskId task = lane_->RunAt(end, [this, id] { Finish(id, /*cancelled=*/false); });
  pending_[id] = Pending{requests_.size() - 1, std::move(done), task};
  return id;
}

void ScriptedHttpClient::Cancel(RequestId id) {
  MutexLock lock(mutex_);
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  lane_->Cancel(found->second.task);
  found->second.task = lane_->Post([this, id] { Finish(id, /*cancelled=*/true); });
}

void ScriptedHttpClient::Finish(RequestId id, bool cancelled) {
  Done done;
  HttpExchange exchange;
  {
    MutexLock lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    ScriptedRequest& sent = requests_[found->second.index];
    sent.finished = true;
    exchange = ToExchange(sent, cancelled, ToSeconds(clock_.WallNow() - sent.at));
    done = std::move(found->second.done);
    pending_.erase(found);
  }
  done(std::move(exchange));
}

HttpExchange ScriptedHttpClient::ToExchange(const ScriptedRequest& sent, bool cancelled,
                                            double seconds) {
  HttpExchange exchange;
  exchange.response.duration_seconds = seconds;
  exchange.response.effective_url = sent.request.url;
  if (cancelled) {
    exchange.error = Error{ErrorCode::kCancelled, "peer:80: cancelled"};
    return exchange;
  }
  const ScriptedAnswer& answer = sent.answer;
  const bool cut = ToSeconds(answer.after) > seconds + 0.0005;  // The deadline came first.
  if (answer.hangs || cut) {
    exchange.response.ip_protocol = 4;
    exchange.response.phases.connect = 0.0001;
    exchange.error =
        Error{ErrorCode::kDeadlineExceeded, "peer:80: deadline exceeded while waiting"};
    return exchange;
  }
  if (answer.breaks) {
    exchange.error = answer.breaks;
    return exchange;
  }
  HttpResponse& response = exchange.response;
  response.status = answer.status;
  response.headers = answer.headers;
  response.body = answer.body;
  response.recipients = answer.recipients;
  response.mail_step = answer.mail_step;
  response.content_length = static_cast<std::int64_t>(answer.body.size());
  response.version = 1.1;
  response.ip_protocol = 4;
  response.ip_address = "127.0.0.1";
  response.phases.connect = 0.0001;
  response.phases.processing = std::max(0.0, seconds - 0.0001);
  if (static_cast<std::int64_t>(answer.body.size()) > sent.request.max_body_bytes) {
    exchange.error = Error{ErrorCode::kResourceExhausted, "peer:80: the answer is too large"};
  }
  return exchange;
}

std::vector<ScriptedRequest> ScriptedHttpClient::requests(const std::string& url_prefix) const {
  MutexLock lock(mutex_);
  std::vector<ScriptedRequest> found;
  for (const auto& sent : requests_) {
    if (sent.request.url.starts_with(url_prefix)) found.push_back(sent);
  }
  return found;
}

std::vector<ScriptedRequest> ScriptedHttpClient::RequestsAfter(std::size_t count) const {
  MutexLock lock(mutex_);
  const std::size_t from = std::min(count, requests_.size());
  return {requests_.begin() + static_cast<std::ptrdiff_t>(from), requests_.end()};
}

std::size_t ScriptedHttpClient::under_way() const {
  MutexLock lock(mutex_);
  return pending_.size();
}

void ScriptedHttpClient::Crash() {
  MutexLock lock(mutex_);
  for (const auto& [id, pending] : pending_) lane_->Cancel(pending.task);
  pending_.clear();
}

}  // namespace tocsin::testing
