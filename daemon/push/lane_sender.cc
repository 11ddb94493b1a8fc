#include "daemon/push/lane_sender.h"

#include <utility>

namespace tocsin::push {

void LaneSender::Open(Executor& lane) {
  MutexLock lock(mailbox_->mutex);
  mailbox_->lane = &lane;
}

void LaneSender::Send(HttpRequest request, SteadyTime deadline, Done done) {
  const auto id =
      client_.Start(std::move(request), deadline,
                    [mailbox = mailbox_, done = std::move(done)](HttpExchange exchange) {
                      auto end = std::make_shared<HttpExchange>(std::move(exchange));
                      MutexLock lock(mailbox->mutex);
                      if (mailbox->lane == nullptr) return;
                      mailbox->lane->Post([done, end] { done(std::move(*end)); });
                    });
  MutexLock lock(mutex_);
  under_way_ = id;
}

void LaneSender::Close() {
  {
    MutexLock lock(mailbox_->mutex);
    mailbox_->lane = nullptr;
  }
  std::optional<HttpClient::RequestId> id;
  {
    MutexLock lock(mutex_);
    id = std::exchange(under_way_, std::nullopt);
  }
  if (id) client_.Cancel(*id);
}

}  // namespace tocsin::push
