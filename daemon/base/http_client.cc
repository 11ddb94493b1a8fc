#include "daemon/base/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <deque>
#include <set>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "daemon/base/check.h"
#include "daemon/base/http_transfer.h"
#include "daemon/base/mail_sender.h"
#include "daemon/base/mutex.h"

namespace tocsin {

std::string HttpResponse::Header(const std::string& name) const {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const auto& [candidate, value] : headers) {
    if (std::equal(candidate.begin(), candidate.end(), name.begin(), name.end(),
                   [&](char a, char b) { return lower(a) == lower(b); })) {
      return value;
    }
  }
  return {};
}

std::string PercentEncode(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

HttpExchange Fetch(HttpClient& client, HttpRequest request, SteadyTime deadline) {
  struct Answer {
    Mutex mutex;
    ConditionVariable arrived;
    std::optional<HttpExchange> exchange GUARDED_BY(mutex);
  };
  const auto answer = std::make_shared<Answer>();
  client.Start(std::move(request), deadline, [answer](HttpExchange exchange) {
    MutexLock lock(answer->mutex);
    answer->exchange = std::move(exchange);
    answer->arrived.notify_all();
  });
  MutexLock lock(answer->mutex);
  while (!answer->exchange) answer->arrived.wait(answer->mutex);
  return std::move(*answer->exchange);
}

// The thread. libcurl tells which sockets and which timer it waits for; epoll
// waits for them, for the nearest deadline and for commands of other threads.
class CurlHttpClient::Loop {
 public:
  Loop(const Clock& clock, Options options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  RequestId Start(HttpRequest request, SteadyTime deadline, Done done);
  void Cancel(RequestId id);
  // Calls `done` with `error`, on the thread.
  void Refuse(Done done, Error error);

 private:
  struct Entry {
    RequestId id = 0;
    HttpTransfer transfer;
    Done done;
    bool running = false;  // Handed to libcurl.
  };

  void Run();
  void Wake() const;
  void TakeCommands();
  void Admit();
  void ExpireDeadlines();
  int WaitMillis() const;
  void Wait();
  void TakeFinished();
  void RunHop(Entry& entry);
  void Abort(RequestId id, ErrorCode code);
  void Conclude(RequestId id);

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* assigned);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);

  const Clock& clock_;
  const Options options_;
  const int epoll_;
  const int wakeup_;

  Mutex mutex_;
  RequestId next_id_ GUARDED_BY(mutex_) = 1;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Entry>> started_ GUARDED_BY(mutex_);
  std::vector<RequestId> cancelled_ GUARDED_BY(mutex_);
  std::vector<std::pair<Done, Error>> refused_ GUARDED_BY(mutex_);

  // Of the loop's thread alone.
  CURLM* multi_ = nullptr;
  bool stop_ = false;
  std::optional<SteadyTime> timer_;
  std::unordered_map<RequestId, std::unique_ptr<Entry>> entries_;
  std::set<std::pair<SteadyTime, RequestId>> deadlines_;
  std::deque<RequestId> waiting_;
  int running_ = 0;

  std::thread thread_;
};

CurlHttpClient::Loop::Loop(const Clock& clock, Options options)
    : clock_(clock),
      options_(std::move(options)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  TOCSIN_CHECK(initialized == CURLE_OK);
  TOCSIN_CHECK(epoll_ >= 0 && wakeup_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wakeup_;
  TOCSIN_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) == 0);
  multi_ = curl_multi_init();
  TOCSIN_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_connections));
  thread_ = std::thread([this] { Run(); });
}

CurlHttpClient::Loop::~Loop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  curl_multi_cleanup(multi_);
  close(wakeup_);
  close(epoll_);
}

void CurlHttpClient::Loop::Wake() const {
  const std::uint64_t one = 1;
  // Full only when a wake-up is already pending.
  [[maybe_unused]] const auto written = write(wakeup_, &one, sizeof one);
}

CurlHttpClient::RequestId CurlHttpClient::Loop::Start(HttpRequest request, SteadyTime deadline,
                                                      Done done) {
  const SteadyTime now = clock_.SteadyNow();
  if (request.time_limit > Millis(0)) deadline = std::min(deadline, now + request.time_limit);
  auto entry = std::unique_ptr<Entry>(new Entry{
      0, HttpTransfer(std::move(request), now, deadline, options_.user_agent), std::move(done)});
  RequestId id = 0;
  {
    MutexLock lock(mutex_);
    id = next_id_++;
    entry->id = id;
    started_.push_back(std::move(entry));
  }
  Wake();
  return id;
}

void CurlHttpClient::Loop::Cancel(RequestId id) {
  {
    MutexLock lock(mutex_);
    cancelled_.push_back(id);
  }
  Wake();
}

void CurlHttpClient::Loop::Refuse(Done done, Error error) {
  {
    MutexLock lock(mutex_);
    refused_.emplace_back(std::move(done), std::move(error));
  }
  Wake();
}

void CurlHttpClient::Loop::Run() {
  // Signals are main's; and a peer that closes within a TLS write must not end the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "http");
  while (true) {
    TakeCommands();
    if (stop_) break;
    ExpireDeadlines();
    Admit();
    Wait();
    TakeFinished();
  }
  // What a `done` starts now ends in the same way.
  while (!entries_.empty()) {
    Abort(entries_.begin()->first, ErrorCode::kCancelled);
    TakeCommands();
  }
}

void CurlHttpClient::Loop::TakeCommands() {
  std::vector<std::unique_ptr<Entry>> started;
  std::vector<RequestId> cancelled;
  std::vector<std::pair<Done, Error>> refused;
  {
    MutexLock lock(mutex_);
    started.swap(started_);
    cancelled.swap(cancelled_);
    refused.swap(refused_);
    stop_ = stopping_;
  }
  for (auto& entry : started) {
    const RequestId id = entry->id;
    deadlines_.emplace(entry->transfer.deadline(), id);
    waiting_.push_back(id);
    entries_.emplace(id, std::move(entry));
  }
  for (const RequestId id : cancelled) Abort(id, ErrorCode::kCancelled);
  for (auto& [done, error] : refused) {
    HttpExchange exchange;
    exchange.error = std::move(error);
    done(std::move(exchange));
  }
}

void CurlHttpClient::Loop::Admit() {
  while (running_ < options_.max_connections && !waiting_.empty()) {
    const RequestId id = waiting_.front();
    waiting_.pop_front();
    // Those that were cancelled or came too late while they waited are gone.
    if (const auto found = entries_.find(id); found != entries_.end()) RunHop(*found->second);
  }
}

void CurlHttpClient::Loop::RunHop(Entry& entry) {
  if (const auto prepared = entry.transfer.PrepareHop(clock_.SteadyNow()); !prepared.ok()) {
    entry.transfer.Fail(prepared.error());
    Conclude(entry.id);
    return;
  }
  CURL* easy = entry.transfer.easy();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<void*>(&entry));
  TOCSIN_CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK);
  entry.running = true;
  ++running_;
}

void CurlHttpClient::Loop::ExpireDeadlines() {
  const SteadyTime now = clock_.SteadyNow();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Abort(deadlines_.begin()->second, ErrorCode::kDeadlineExceeded);
  }
}

void CurlHttpClient::Loop::Abort(RequestId id, ErrorCode code) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  entry.transfer.Abort(code, clock_.SteadyNow());
  if (entry.running) {
    curl_multi_remove_handle(multi_, entry.transfer.easy());
    entry.running = false;
    --running_;
  }
  Conclude(id);
}

void CurlHttpClient::Loop::Conclude(RequestId id) {
  auto node = entries_.extract(id);
  const std::unique_ptr<Entry> entry = std::move(node.mapped());
  deadlines_.erase({entry->transfer.deadline(), id});
  entry->done(entry->transfer.TakeExchange(clock_.SteadyNow()));
}

int CurlHttpClient::Loop::WaitMillis() const {
  std::optional<SteadyTime> until = timer_;
  if (!deadlines_.empty()) {
    until = until ? std::min(*until, deadlines_.begin()->first) : deadlines_.begin()->first;
  }
  if (!until) return -1;
  const auto left = std::chrono::ceil<Millis>(*until - clock_.SteadyNow()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void CurlHttpClient::Loop::Wait() {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), WaitMillis());
  TOCSIN_CHECK(count >= 0 || errno == EINTR);
  int still_running = 0;
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == wakeup_) {
      std::uint64_t value = 0;
      [[maybe_unused]] const auto bytes = read(wakeup_, &value, sizeof value);
      continue;
    }
    int mask = 0;
    if ((events[i].events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi_, events[i].data.fd, mask, &still_running);
  }
  if (timer_ && *timer_ <= clock_.SteadyNow()) {
    timer_.reset();
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &still_running);
  }
}

void CurlHttpClient::Loop::TakeFinished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CURL* easy = message->easy_handle;
    Entry* entry = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &entry);
    TOCSIN_CHECK(entry != nullptr);
    const bool goes_on = entry->transfer.FinishHop(code, clock_.SteadyNow());
    curl_multi_remove_handle(multi_, easy);
    entry->running = false;
    --running_;
    if (goes_on) {
      RunHop(*entry);
    } else {
      Conclude(entry->id);
    }
  }
}

int CurlHttpClient::Loop::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  const int epoll = static_cast<Loop*>(self)->epoll_;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);  // Fails if already closed: fine.
    return 0;
  }
  epoll_event event{};
  event.data.fd = socket;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0 && errno == ENOENT) {
    TOCSIN_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0);
  }
  return 0;
}

int CurlHttpClient::Loop::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto& loop = *static_cast<Loop*>(self);
  if (timeout_ms < 0) {
    loop.timer_.reset();
  } else {
    loop.timer_ = loop.clock_.SteadyNow() + Millis(timeout_ms);
  }
  return 0;
}

CurlHttpClient::CurlHttpClient(const Clock& clock) : CurlHttpClient(clock, Options{}) {}

CurlHttpClient::CurlHttpClient(const Clock& clock, Options options)
    : loop_(std::make_unique<Loop>(clock, options)) {
  MailSender::Options mail;
  mail.reply_patience = options.mail_reply_patience;
  mail.refuse = [this](Done done, Error error) {
    loop_->Refuse(std::move(done), std::move(error));
  };
  mail_ = std::make_unique<MailSender>(clock, std::move(mail));
}

CurlHttpClient::~CurlHttpClient() = default;

CurlHttpClient::RequestId CurlHttpClient::Start(HttpRequest request, SteadyTime deadline,
                                                Done done) {
  if (request.mail) return mail_->Start(std::move(request), deadline, std::move(done));
  return loop_->Start(std::move(request), deadline, std::move(done));
}

void CurlHttpClient::Cancel(RequestId id) {
  if (MailSender::Owns(id)) return mail_->Cancel(id);
  loop_->Cancel(id);
}

}  // namespace tocsin
