#pragma once

// The mails of a CurlHttpClient: a thread for each, while it is under way. Internal
// to base. Thread-safe.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/base/mail_transfer.h"
#include "daemon/base/mutex.h"

namespace tocsin {

class MailSender {
 public:
  // At once, and of them to one server: a sick one leaves places to the others. One more
  // ends with kResourceExhausted, and so does one whose thread cannot be had.
  static constexpr std::size_t kMaxMails = 128;
  static constexpr std::size_t kMaxMailsOfServer = 32;

  struct Options {
    Millis reply_patience{};  // MailTransfer's.
    // Calls `done` with the error, from another thread than the one that is in Start.
    std::function<void(HttpClient::Done done, Error error)> refuse;
    // How a thread is made; may throw std::system_error as std::thread does.
    std::function<std::thread(std::function<void()>)> start_thread = [](std::function<void()> run) {
      return std::thread(std::move(run));
    };
  };

  MailSender(const Clock& clock, Options options) : clock_(clock), options_(std::move(options)) {}
  ~MailSender();  // Cancels what is under way and waits for its end, a second at most.

  // As HttpClient's.
  HttpClient::RequestId Start(HttpRequest request, SteadyTime deadline, HttpClient::Done done);
  void Cancel(HttpClient::RequestId id);

  // Whether `id` is one of ours: they are told from the loop's by their highest bit.
  static bool Owns(HttpClient::RequestId id) { return (id & kOurs) != 0; }

 private:
  static constexpr HttpClient::RequestId kOurs = std::uint64_t{1} << 63;

  struct Mail {
    std::string server;
    std::unique_ptr<MailTransfer> transfer;  // Null once it has ended; under mutex_.
    HttpClient::Done done;
    std::thread thread;
  };
  void Run(HttpClient::RequestId id, Mail& mail);
  // Begins it, or says why not.
  std::optional<Error> TryStart(HttpClient::RequestId id, std::unique_ptr<Mail>& mail)
      REQUIRES_LOCK(mutex_);
  std::vector<std::unique_ptr<Mail>> TakeEnded() REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const Options options_;
  Mutex mutex_;
  HttpClient::RequestId next_id_ GUARDED_BY(mutex_) = kOurs;
  std::map<HttpClient::RequestId, std::unique_ptr<Mail>> mails_ GUARDED_BY(mutex_);
  std::vector<HttpClient::RequestId> ended_ GUARDED_BY(mutex_);  // Their threads only return now.
};

}  // namespace tocsin
