#include "collectors/postgres/host_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "daemon/base/mutex.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr Millis kStopCheck{50};
constexpr std::size_t kMostAddresses = 8;

std::vector<std::string> AddressesOf(const addrinfo* list) {
  std::vector<std::string> addresses;
  for (; list != nullptr && addresses.size() < kMostAddresses; list = list->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) {
      addresses.emplace_back(text);
    }
  }
  return addresses;
}

}  // namespace

bool IsLiteralHost(const std::string& host) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return true;
  in6_addr address;
  const std::string without_zone = host.substr(0, host.find('%'));
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, without_zone.c_str(), &address) == 1;
}

struct HostLookup::Lookup {
  std::string host;
  Mutex mutex;
  ConditionVariable changed;
  bool done GUARDED_BY(mutex) = false;
  int error GUARDED_BY(mutex) = 0;
  std::vector<std::string> addresses GUARDED_BY(mutex);

  void Run() {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &list);
    auto found = AddressesOf(failed == 0 ? list : nullptr);
    if (failed == 0) freeaddrinfo(list);
    MutexLock lock(mutex);
    error = failed;
    addresses = std::move(found);
    done = true;
    changed.notify_all();
  }
};

HostLookup::HostLookup() = default;
HostLookup::~HostLookup() = default;

Result<std::vector<std::string>> HostLookup::Resolve(const std::string& host, SteadyTime until,
                                                     const CollectContext& context) {
  auto& pending = pending_[host];
  if (!pending) {
    pending = std::make_shared<Lookup>();
    pending->host = host;
    try {
      // Not an Executor: its destructor would wait for a resolver that hangs. The
      // thread touches nothing but the Lookup it shares.
      std::thread([lookup = pending] { lookup->Run(); }).detach();
    } catch (const std::system_error& error) {
      pending_.erase(host);
      return Error{ErrorCode::kUnavailable, std::string("cannot start a thread: ") + error.what()};
    }
  }
  const auto lookup = pending;
  MutexLock lock(lookup->mutex);
  while (!lookup->done) {
    if (context.stop.stop_requested()) return Error{ErrorCode::kCancelled, "asked to stop"};
    if (context.clock.SteadyNow() >= until) {
      return Error{ErrorCode::kDeadlineExceeded, "looking up \"" + host + "\" takes too long"};
    }
    lookup->changed.wait_for(lookup->mutex, kStopCheck);
  }
  pending_.erase(host);
  if (lookup->error != 0 || lookup->addresses.empty()) {
    return Error{ErrorCode::kUnavailable,
                 "cannot look up \"" + host + "\": " +
                     (lookup->error != 0 ? gai_strerror(lookup->error) : "it has no address")};
  }
  return lookup->addresses;
}

}  // namespace tocsin::collectors::postgres
