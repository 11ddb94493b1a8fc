#pragma once

// The mails of a CurlHttpClient: a thread for each, while it is under way. Internal
// to base. Thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/base/mail_transfer.h"
#include "daemon/base/mutex.h"

namespace tocsin {

class MailSender {
 public:
  // At once; one more ends with kResourceExhausted.
  static constexpr std::size_t kMaxMails = 64;

  explicit MailSender(const Clock& clock) : clock_(clock) {}
  ~MailSender();  // Cancels what is under way and waits for its end, a second at most.

  // As HttpClient's.
  HttpClient::RequestId Start(HttpRequest request, SteadyTime deadline, HttpClient::Done done);
  void Cancel(HttpClient::RequestId id);

  // Whether `id` is one of ours: they are told from the loop's by their highest bit.
  static bool Owns(HttpClient::RequestId id) { return (id & kOurs) != 0; }

 private:
  static constexpr HttpClient::RequestId kOurs = std::uint64_t{1} << 63;

  struct Mail {
    std::unique_ptr<MailTransfer> transfer;  // Null once it has ended; under mutex_.
    HttpClient::Done done;
    std::thread thread;
  };
  void Run(HttpClient::RequestId id, Mail& mail, bool refused);
  std::vector<std::unique_ptr<Mail>> TakeEnded() REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  HttpClient::RequestId next_id_ GUARDED_BY(mutex_) = kOurs;
  std::map<HttpClient::RequestId, std::unique_ptr<Mail>> mails_ GUARDED_BY(mutex_);
  std::vector<HttpClient::RequestId> ended_ GUARDED_BY(mutex_);  // Their threads only return now.
};

}  // namespace tocsin
