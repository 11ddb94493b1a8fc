// What a search of the host makes of the kernel's tables, written here.

#include "daemon/config/survey.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "daemon/base/clock.h"
#include "tests/support/process.h"

namespace tocsin::config {
namespace {

constexpr const char* kTcpHead =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n";

class SurveyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.File("proc/net"));
    places_ = {folder_.File("proc"), {}, {}};
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.File(name)) << text;
  }
  // A process of that program whose descriptors nobody may look at.
  void Run(int pid, const std::string& program, const std::string& title) {
    const std::string folder = "proc/" + std::to_string(pid);
    std::filesystem::create_directories(folder_.File(folder));
    Write(folder + "/comm", program + "\n");
    Write(folder + "/cmdline", title);
    Write(folder + "/status", "PPid:\t1\n");
  }
  // A listening port in hexadecimal, of a user.
  static std::string Listens(const std::string& port, int uid, int inode) {
    return "   0: 0100007F:" + port + " 00000000:0000 0A 00000000:00000000 00:00000000 00000000 " +
           std::to_string(uid) + " 0 " + std::to_string(inode) + " 1 0 100 0 0 10 0\n";
  }
  Survey Look() {
    return SurveyHost(places_, files_, Deadline(clock_, clock_.SteadyNow() + Millis(5000)));
  }

  testing::TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
  SurveyPlaces places_;
};

TEST_F(SurveyTest, OnlyServersOfTheSystemAreTrusted) {
  Write("proc/net/tcp", kTcpHead + Listens("1538", 110, 1) + Listens("18EB", 1001, 2));
  const Survey survey = Look();
  ASSERT_EQ(survey.servers.size(), 2U);
  EXPECT_EQ(survey.servers[0].Name(), "postgres-5432");
  EXPECT_TRUE(survey.servers[0].is_trusted);
  EXPECT_EQ(survey.servers[1].Name(), "redis-6379");
  EXPECT_FALSE(survey.servers[1].is_trusted) << "anybody may listen there";
}

TEST_F(SurveyTest, ATitleDoesNotTakeAPortFromItsServer) {
  const std::string socket = folder_.File(".s.PGSQL.5432");
  Write(".s.PGSQL.5432", "");
  Write(".s.PGSQL.5432.lock", "");
  Write("proc/net/tcp", kTcpHead + Listens("1538", 110, 1));
  Write("proc/net/unix",
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 7 " +
            socket + "\n");
  Run(77, "redis-server", "redis-server *:5432");
  const Survey survey = Look();
  ASSERT_EQ(survey.servers.size(), 1U);
  EXPECT_EQ(survey.servers[0].kind, "postgres");
}

TEST_F(SurveyTest, ASocketThatIsNotSeenFromHereIsNoServer) {
  Write("proc/net/unix",
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 7 "
        "/elsewhere/.s.PGSQL.5432\n");
  EXPECT_TRUE(Look().servers.empty());
}

TEST(FoundServerTest, SocketsOfOneNameInTwoFoldersAreTwoTargets) {
  FoundServer one{.kind = "redis", .socket = "/run/redis-a/redis.sock", .host = {}};
  FoundServer other{.kind = "redis", .socket = "/run/redis-b/redis.sock", .host = {}};
  EXPECT_EQ(one.Name(), "redis-run-redis-a-redis.sock");
  EXPECT_NE(one.Name(), other.Name());
}

}  // namespace
}  // namespace tocsin::config
