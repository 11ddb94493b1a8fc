#include "daemon/base/mail_sender.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <system_error>
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
  mail->server = request.url;
  mail->transfer =
      std::make_unique<MailTransfer>(std::move(request), clock_, deadline, options_.reply_patience);
  mail->done = std::move(done);
  std::vector<std::unique_ptr<Mail>> ended;
  HttpClient::RequestId id = 0;
  std::optional<Error> refused;
  {
    MutexLock lock(mutex_);
    ended = TakeEnded();
    id = next_id_++;
    refused = TryStart(id, mail);
  }
  for (const auto& one : ended) one->thread.join();
  if (refused) options_.refuse(std::move(mail->done), *std::move(refused));
  return id;
}

std::optional<Error> MailSender::TryStart(HttpClient::RequestId id, std::unique_ptr<Mail>& mail) {
  const auto refused = [](std::string why) {
    return Error{ErrorCode::kResourceExhausted, std::move(why)};
  };
  if (mails_.size() >= kMaxMails) {
    return refused(fmt::format("more than {} mails at once", kMaxMails));
  }
  const auto same = std::count_if(mails_.begin(), mails_.end(), [&](const auto& item) {
    return item.second->server == mail->server;
  });
  if (static_cast<std::size_t>(same) >= kMaxMailsOfServer) {
    return refused(fmt::format("more than {} mails to one server at once", kMaxMailsOfServer));
  }
  try {
    mail->thread = options_.start_thread([this, id, &started = *mail] { Run(id, started); });
  } catch (const std::system_error& error) {
    return refused(fmt::format("no thread for a mail: {}", error.code().message()));
  }
  mails_.emplace(id, std::move(mail));
  return std::nullopt;
}

void MailSender::Cancel(HttpClient::RequestId id) {
  MutexLock lock(mutex_);
  const auto found = mails_.find(id);
  if (found != mails_.end() && found->second->transfer) found->second->transfer->Cancel();
}

void MailSender::Run(HttpClient::RequestId id, Mail& mail) {
  // Signals are main's; and a peer that closes within a TLS write must not end the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "mail");
  mail.done(mail.transfer->Run());
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
