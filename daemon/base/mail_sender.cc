#include "daemon/base/mail_sender.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace tocsin {

MailSender::~MailSender() {
  // What a `done` starts now ends in the same way.
  while (true) {
    std::map<HttpClient::RequestId, std::unique_ptr<Mail>> mails;
    {
      MutexLock lock(mutex_);
      for (const auto& [id, mail] : mails_) {
        if (mail->transfer) mail->transfer->Cancel();
      }
      mails.swap(mails_);
    }
    if (mails.empty()) return;
    for (const auto& [id, mail] : mails) mail->thread.join();
  }
}

HttpClient::RequestId MailSender::Start(HttpRequest request, SteadyTime deadline,
                                        HttpClient::Done done) {
  auto mail = std::make_unique<Mail>();
  mail->transfer = std::make_unique<MailTransfer>(std::move(request), clock_, deadline);
  mail->done = std::move(done);
  std::vector<std::unique_ptr<Mail>> ended;
  HttpClient::RequestId id = 0;
  {
    MutexLock lock(mutex_);
    ended = TakeEnded();
    id = next_id_++;
    const bool refused = mails_.size() >= kMaxMails;
    Mail& started = *mails_.emplace(id, std::move(mail)).first->second;
    started.thread = std::thread([this, id, &started, refused] { Run(id, started, refused); });
  }
  for (const auto& one : ended) one->thread.join();
  return id;
}

void MailSender::Cancel(HttpClient::RequestId id) {
  MutexLock lock(mutex_);
  const auto found = mails_.find(id);
  if (found != mails_.end() && found->second->transfer) found->second->transfer->Cancel();
}

void MailSender::Run(HttpClient::RequestId id, Mail& mail, bool refused) {
  // Signals are main's; and a peer that closes within a TLS write must not end the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "mail");
  HttpExchange exchange;
  if (refused) {
    exchange.error = Error{ErrorCode::kResourceExhausted,
                           "more than " + std::to_string(kMaxMails) + " mails at once"};
  } else {
    exchange = mail.transfer->Run();
  }
  mail.done(std::move(exchange));
  MutexLock lock(mutex_);
  mail.transfer.reset();
  ended_.push_back(id);
}

std::vector<std::unique_ptr<MailSender::Mail>> MailSender::TakeEnded() {
  std::vector<std::unique_ptr<Mail>> ended;
  for (const HttpClient::RequestId id : ended_) {
    const auto found = mails_.find(id);
    if (found == mails_.end()) continue;  // The destructor has it.
    ended.push_back(std::move(found->second));
    mails_.erase(found);
  }
  ended_.clear();
  return ended;
}

}  // namespace tocsin
