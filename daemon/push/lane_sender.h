#pragma once

// Sends requests for a lane, one at a time: the end of each comes back as a task of
// that lane, and none comes after Close().

#include <functional>
#include <memory>
#include <optional>

#include "daemon/base/executor.h"
#include "daemon/base/http_client.h"
#include "daemon/base/mutex.h"

namespace tocsin::push {

// Send() and its `done` belong to the lane; Open() and Close() to whoever owns the lane:
// Close() comes before the lane is destroyed.
class LaneSender {
 public:
  using Done = std::function<void(HttpExchange)>;

  explicit LaneSender(HttpClient& client)
      : client_(client), mailbox_(std::make_shared<Mailbox>()) {}
  ~LaneSender() { Close(); }
  LaneSender(const LaneSender&) = delete;
  LaneSender& operator=(const LaneSender&) = delete;

  // Says which lane the ends go to; before the first Send().
  void Open(Executor& lane);

  // Requires: nothing is under way.
  void Send(HttpRequest request, SteadyTime deadline, Done done);

  // Cancels what is under way; its `done` is never called.
  void Close();

 private:
  // Outlives the sender for as long as the client knows of a request.
  struct Mailbox {
    Mutex mutex;
    Executor* lane GUARDED_BY(mutex) = nullptr;  // Null once closed.
  };

  HttpClient& client_;
  std::shared_ptr<Mailbox> mailbox_;
  Mutex mutex_;
  std::optional<HttpClient::RequestId> under_way_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::push
