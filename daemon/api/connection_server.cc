#include "daemon/api/connection_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <exception>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/api/connection_stream.h"
#include "daemon/api/response_writer.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"

namespace tocsin::api {
namespace {

constexpr Millis kIdleLimit{1000};  // Between the requests of a connection.
constexpr Millis kIdleSlice{100};   // In slices: it ends early when others wait.
constexpr ConnectionStream::Limits kLimits{std::chrono::seconds(10), std::chrono::seconds(30)};
constexpr int kRequestsKept = 1'000;  // A busy connection holds a worker too.
constexpr std::size_t kMostWaiting = 1'024;
constexpr Millis kShortageRest{100};  // Of descriptors or memory.
constexpr Millis kStopLimit{2'000};   // For answers that are taken slowly.

}  // namespace

class ConnectionServer::Rep {
 public:
  Rep(int fd, std::shared_ptr<ssl_ctx_st> tls, int workers, const Clock& clock, Answer answer)
      : fd_(fd),
        tls_(std::move(tls)),
        worker_count_(workers),
        clock_(clock),
        answer_(std::move(answer)) {}

  ~Rep() { Stop(); }

  void Start() {
    for (int i = 0; i < worker_count_; ++i) threads_.emplace_back([this] { Work(); });
    threads_.emplace_back([this] { Accept(); });
  }

  void Stop() {
    if (fd_ < 0) return;
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_all();
    room_.notify_all();
    shutdown(fd_, SHUT_RDWR);  // Ends accept().
    EndServed();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    close(std::exchange(fd_, -1));
    MutexLock lock(mutex_);
    for (const int waiting : waiting_) close(waiting);
    waiting_.clear();
  }

 private:
  void Accept() {
    pthread_setname_np(pthread_self(), "api-accept");
    while (!stopping_) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        const bool is_short =
            errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        MutexLock lock(mutex_);
        if (is_short && !stopping_) room_.wait_for(mutex_, kShortageRest);
        continue;
      }
      const int on = 1;  // Of a Unix socket it is refused, and needless.
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ++connections_;
      MutexLock lock(mutex_);
      while (!stopping_ && waiting_.size() >= kMostWaiting) room_.wait(mutex_);
      waiting_.push_back(fd);
      arrived_.notify_one();
    }
  }

  // They may not ask any more; and after a while not hear any more.
  void EndServed() {
    const SteadyTime limit = clock_.SteadyNow() + kStopLimit;
    MutexLock lock(mutex_);
    for (const int served : served_) shutdown(served, SHUT_RD);
    while (!served_.empty() && clock_.SteadyNow() < limit) {
      ended_.wait_for(mutex_, limit - clock_.SteadyNow());
    }
    for (const int served : served_) shutdown(served, SHUT_RDWR);
  }

  // The next connection to serve; negative when there are to be no more.
  int TakeConnection() {
    MutexLock lock(mutex_);
    while (!stopping_ && waiting_.empty()) arrived_.wait(mutex_);
    if (stopping_) return -1;
    const int fd = waiting_.front();
    waiting_.pop_front();
    served_.insert(fd);
    room_.notify_one();
    return fd;
  }

  void Work() {
    pthread_setname_np(pthread_self(), "api");
    for (int fd = TakeConnection(); fd >= 0; fd = TakeConnection()) {
      try {
        ServeConnection(fd);
      } catch (const std::exception& exception) {
        LogError("a connection was given up", {{"reason", exception.what()}});
      }
      MutexLock lock(mutex_);
      served_.erase(fd);
      ended_.notify_one();
      close(fd);
      --connections_;
    }
  }

  void ServeConnection(int fd) {
    if (tls_ == nullptr) {
      ConnectionStream stream(fd, kLimits, clock_);
      return Serve(stream);
    }
    const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(tls_.get()), SSL_free);
    if (session == nullptr) return;
    ConnectionStream stream(fd, kLimits, clock_, session.get());
    if (stream.AcceptTls()) Serve(stream);
  }

  void Serve(ConnectionStream& stream) {
    RequestReader reader(stream, clock_);
    RequestHead head;
    bool goes_on = true;
    for (int left = kRequestsKept; goes_on && left > 0; --left) {
      if (!AwaitRequest(stream)) break;
      const bool read = reader.ReadHead(head);
      if (!read && !reader.refusal()) break;
      AnswerForm form{.head_only = head.method == "HEAD",
                      .gzip = AcceptsGzip(head.Header("Accept-Encoding"))};
      Response response = read ? AnswerSafely(head, reader) : *reader.refusal();
      goes_on = reader.done() && head.keeps_connection && left > 1 && !OthersWait();
      form.close = !goes_on;
      form.now = clock_.WallNow();
      if (!WriteResponse(std::move(response), form, stream) || !stream.Flush()) break;
    }
    stream.SayGoodbye();
    // To close with bytes unread would reset the connection, and the answer with it.
    if (!reader.done() || stream.HasMore()) stream.Discard();
  }

  Response AnswerSafely(RequestHead& head, RequestReader& reader) {
    try {
      return answer_(head, reader);
    } catch (const std::exception& exception) {
      LogError("a request could not be answered", {{"reason", exception.what()}});
      return PlainError(500, "Internal Server Error");
    }
  }

  bool AwaitRequest(ConnectionStream& stream) const {
    for (Millis waited{}; waited < kIdleLimit; waited += kIdleSlice) {
      if (stopping_ || (waited > Millis() && OthersWait())) return false;
      if (stream.WaitForRequest(kIdleSlice)) return true;
    }
    return false;
  }

  bool OthersWait() const { return connections_ > worker_count_; }

  int fd_;  // Listening; negative once stopped.
  const std::shared_ptr<ssl_ctx_st> tls_;
  const int worker_count_;
  const Clock& clock_;
  const Answer answer_;
  std::atomic<int> connections_ = 0;  // Served or waiting.
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  ConditionVariable arrived_;  // A connection waits.
  ConditionVariable room_;     // Another one may.
  ConditionVariable ended_;    // One is served no more.
  std::deque<int> waiting_ GUARDED_BY(mutex_);
  std::set<int> served_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

ConnectionServer::ConnectionServer(int fd, std::shared_ptr<ssl_ctx_st> tls, int workers,
                                   const Clock& clock, Answer answer)
    : rep_(std::make_unique<Rep>(fd, std::move(tls), workers, clock, std::move(answer))) {}
ConnectionServer::~ConnectionServer() = default;

void ConnectionServer::Start() { rep_->Start(); }
void ConnectionServer::Stop() { rep_->Stop(); }

}  // namespace tocsin::api
