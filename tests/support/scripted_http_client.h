#pragma once

// An HttpClient whose peers are a script: answers, refusals, rate limits, broken
// connections and hangs, in virtual time. Give it the SimExecutors of the
// simulation; its answers are then tasks on that one timeline. What was sent is
// kept for the test to look at, with what became of it.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/executor.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"

namespace tocsin::testing {

// How a scripted peer treats one request.
struct ScriptedAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  Millis after{1};              // From the request to the end of the exchange.
  bool hangs = false;           // Never answers: the exchange ends at its deadline.
  std::optional<Error> breaks;  // The exchange ends with this error after `after`.
  bool received = true;         // Whether the peer took the request in before that.
  // Of a mail: the replies to its recipients, and what `status` is about.
  std::vector<MailReply> recipients;
  MailStep mail_step = MailStep::kNone;

  static ScriptedAnswer Status(int status, std::string body = {}) {
    ScriptedAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
  }
  static ScriptedAnswer Hang() {
    ScriptedAnswer answer;
    answer.hangs = true;
    return answer;
  }
  // 429 (or 503) that asks to be left alone for a while.
  static ScriptedAnswer RetryAfter(int status, std::chrono::seconds wait) {
    ScriptedAnswer answer = Status(status);
    answer.headers.emplace_back("Retry-After", std::to_string(wait.count()));
    return answer;
  }
  // The connection is refused: the peer saw nothing.
  static ScriptedAnswer Refused() {
    ScriptedAnswer answer;
    answer.breaks = Error{ErrorCode::kUnavailable, "peer:80: cannot connect: connection refused"};
    answer.received = false;
    return answer;
  }
  // The connection breaks after the peer acted on the request: only the answer is lost.
  static ScriptedAnswer AnswerLost() {
    ScriptedAnswer answer;
    answer.breaks = Error{ErrorCode::kUnavailable, "peer:80: the connection broke off"};
    return answer;
  }
  ScriptedAnswer After(Millis delay) && {
    after = delay;
    return std::move(*this);
  }
};

// One request as the script saw it.
struct ScriptedRequest {
  HttpRequest request;
  WallTime at{};
  SteadyTime deadline{};
  ScriptedAnswer answer;
  bool finished = false;  // `done` was called.
};

// Thread-safe. Destroying it, or Crash(), ends what is under way without a word.
class ScriptedHttpClient : public HttpClient {
 public:
  using Script = std::function<ScriptedAnswer(const HttpRequest&)>;

  ScriptedHttpClient(const Clock& clock, ExecutorFactory& executors);
  ~ScriptedHttpClient() override;

  // Requests whose URL begins with `url_prefix` (the longest that fits) get these
  // answers in order, the last one for ever. Without a script: connection refused.
  void Answer(const std::string& url_prefix, std::vector<ScriptedAnswer> answers);
  void Answer(const std::string& url_prefix, Script script);

  RequestId Start(HttpRequest request, SteadyTime deadline, Done done) override;
  void Cancel(RequestId id) override;

  // All so far, in order; or those to one prefix.
  std::vector<ScriptedRequest> requests(const std::string& url_prefix = {}) const;
  // All but the first `count`.
  std::vector<ScriptedRequest> RequestsAfter(std::size_t count) const;
  std::size_t under_way() const;

  // Drops what is under way, as the death of the process does.
  void Crash();

 private:
  struct Pending {
    std::size_t index = 0;  // Into requests_.
    Done done;
    TaskId task = 0;
  };

  ScriptedAnswer Choose(const HttpRequest& request);
  void Finish(RequestId id, bool cancelled);
  static HttpExchange ToExchange(const ScriptedRequest& sent, bool cancelled, double seconds);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Script> scripts_ GUARDED_BY(mutex_);
  std::vector<ScriptedRequest> requests_ GUARDED_BY(mutex_);
  std::map<RequestId, Pending> pending_ GUARDED_BY(mutex_);
  RequestId next_id_ GUARDED_BY(mutex_) = 1;
  std::unique_ptr<Executor> lane_;  // Last: its tasks use what is above.
};

}  // namespace tocsin::testing
