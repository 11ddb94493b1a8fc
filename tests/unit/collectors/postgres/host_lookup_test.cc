// A resolver that never answers must not hold a collection. This program's own
// getaddrinfo stands in front of the C library's.

#include "collectors/postgres/host_lookup.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <string_view>
#include <thread>

#include "daemon/base/clock.h"
#include "tests/support/process.h"

namespace {

std::atomic<bool> resolver_hangs{true};
std::atomic<int> lookups{0};

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  if (node != nullptr && std::string_view(node) == "hangs.test") {
    ++lookups;
    while (resolver_hangs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    node = "127.0.0.1";
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto original = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return original(node, service, hints, result);
}

namespace tocsin::collectors::postgres {
namespace {

TEST(HostLookupTest, AddressesAndFoldersNeedNoLookup) {
  for (const char* host :
       {"127.0.0.1", "::1", "fe80::1%eth0", "/var/run/postgresql", "@abstract"}) {
    EXPECT_TRUE(IsLiteralHost(host)) << host;
  }
  EXPECT_FALSE(IsLiteralHost("localhost"));
  EXPECT_FALSE(IsLiteralHost("db1.example"));
}

TEST(HostLookupTest, AResolverThatHangsIsLeftAtTheDeadlineAndAskedOnlyOnce) {
  const SystemClock clock;
  HostLookup lookup;
  const auto resolve = [&](Millis limit) {
    const SteadyTime until = clock.SteadyNow() + limit;
    const CollectContext context{clock, clock.WallNow(), until, {}};
    return lookup.Resolve("hangs.test", until, context);
  };
  for (int i = 0; i < 3; ++i) {
    const auto start = clock.SteadyNow();
    const auto addresses = resolve(Millis(100));
    ASSERT_FALSE(addresses.ok());
    EXPECT_EQ(addresses.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_LT(clock.SteadyNow() - start, Millis(1100));
  }
  EXPECT_EQ(lookups, 1);
  // The same lookup's answer is taken as soon as it comes.
  resolver_hangs = false;
  const auto addresses = resolve(std::chrono::seconds(20));
  ASSERT_TRUE(addresses.ok()) << addresses.error().message;
  EXPECT_EQ(*addresses, std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(lookups, 1);
}

TEST(HostLookupTest, LocalhostHasAnAddress) {
  const SystemClock clock;
  HostLookup lookup;
  const SteadyTime until = clock.SteadyNow() + std::chrono::seconds(20);
  const auto addresses = lookup.Resolve("localhost", until, {clock, clock.WallNow(), until, {}});
  ASSERT_TRUE(addresses.ok()) << addresses.error().message;
  EXPECT_FALSE(addresses->empty());
}

}  // namespace
}  // namespace tocsin::collectors::postgres
