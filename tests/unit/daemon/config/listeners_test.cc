#include "daemon/config/listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::config {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 "
    "21467 1 0000000000000000 100 0 0 10 0\n"
    "   1: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "21999 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:1538 0100007F:9C4E 01 00000000:00000000 00:00000000 00000000   105        0 "
    "30001 1 0000000000000000 20 4 0 10 -1\n";

constexpr std::string_view kTcp6 =
    "  sl  local_address                         remote_address                        st tx_queue "
    "rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000   105        0 21466 1 0000000000000000 100 0 0 10 0\n";

constexpr std::string_view kUnix =
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 21468 /var/run/postgresql/.s.PGSQL.5432\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 21469 /var/run/postgresql/.s.PGSQL.5432\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 21470 @/tmp/abstract\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 21471 /srv/with blank/redis.sock\n"
    "0000000000000000: 00000002 00000000 00000000 0002 01 21472\n";

TEST(ListenersTest, OnlyTcpSocketsThatListenAreRead) {
  const auto listeners = ParseTcpListeners(kTcp);
  ASSERT_THAT(listeners, SizeIs(2));
  EXPECT_EQ(listeners[0].address, "127.0.0.1");
  EXPECT_EQ(listeners[0].port, 5432);
  EXPECT_EQ(listeners[0].inode, 21467u);
  EXPECT_EQ(listeners[1].address, "0.0.0.0");
  EXPECT_EQ(listeners[1].port, 6379);
}

TEST(ListenersTest, AddressesOfVersionSixAreRead) {
  const auto listeners = ParseTcpListeners(kTcp6);
  ASSERT_THAT(listeners, SizeIs(1));
  EXPECT_EQ(listeners[0].address, "::1");
}

TEST(ListenersTest, UnixSocketsThatListenAreReadWithBlanksInTheirPaths) {
  const auto listeners = ParseUnixListeners(kUnix);
  ASSERT_THAT(listeners, SizeIs(2));
  EXPECT_EQ(listeners[0].path, "/var/run/postgresql/.s.PGSQL.5432");
  EXPECT_EQ(listeners[0].inode, 21468u);
  EXPECT_EQ(listeners[1].path, "/srv/with blank/redis.sock");
}

TEST(ListenersTest, NonsenseIsPassedOver) {
  EXPECT_THAT(ParseTcpListeners("0: x:y z:w 0A a b c d e f\n\n: : : 0A\n"), IsEmpty());
  EXPECT_THAT(ParseUnixListeners("a b c d e f g h\n\xff\xfe\n"), IsEmpty());
}

TEST(ListenersTest, ARedisTellsItsAddressInItsTitle) {
  EXPECT_EQ(PortInTitle("/usr/bin/redis-server 127.0.0.1:6380"), 6380);
  EXPECT_EQ(PortInTitle("redis-server *:7000 [cluster]"), 7000);
  EXPECT_EQ(PortInTitle("redis-server [::1]:6379"), 6379);
  EXPECT_EQ(PortInTitle("redis-server /etc/redis/redis.conf"), 0);
  EXPECT_EQ(SocketInTitle("redis-server unixsocket:/run/redis/a.sock"), "/run/redis/a.sock");
  EXPECT_EQ(SocketInTitle("redis-server *:6379"), "");
}

}  // namespace
}  // namespace tocsin::config
