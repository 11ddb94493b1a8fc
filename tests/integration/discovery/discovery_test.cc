// Without a configuration file the servers of this host are found, said and watched:
// real ones, on whatever port they listen.

#include <gmock/gmock.h>

#include "tests/integration/discovery/bare_daemon.h"

namespace tocsin::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPassword = "a-password-that-nobody-sees";

int CountOf(const std::string& text, const std::string& word) {
  int count = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

class DiscoveryTest : public BareDaemonTest {};

TEST_F(DiscoveryTest, FindsServersOnAnyPortAndWatchesThem) {
  const auto postgres = Postgres();
  ASSERT_TRUE(postgres->Execute("CREATE ROLE tocsin LOGIN; GRANT pg_monitor TO tocsin").ok());
  const auto pgbouncer =
      Pgbouncer({.settings = {{"stats_users", "tocsin"}}, .users = {{"tocsin", kPassword}}});
  const auto redis = Redis();
  ASSERT_NO_FATAL_FAILURE(GivePassword("pgbouncer", kPassword));
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const char* up : {"pg_up", "pgbouncer_up", "redis_up", "up{job=\"host\"}"}) {
    EXPECT_TRUE(WaitForValue(up, 1)) << up << "\n" << Output();
  }
  EXPECT_EQ(Query("count(up{job=~\"postgres|pgbouncer|redis\"})"), 3) << Discovered();
  EXPECT_EQ(CountOf(Output(), "found kind="), 3) << Output();
  EXPECT_THAT(Output(), HasSubstr("there is no configuration file"));
  EXPECT_THAT(Get("/api/v1/rules").body, HasSubstr("booking-platform.yaml"));

  // What was found is a configuration, and holds no secret.
  EXPECT_THAT(Discovered(), AllOf(HasSubstr("postgres-" + std::to_string(postgres->port())),
                                  HasSubstr("pgbouncer-" + std::to_string(pgbouncer->port())),
                                  Not(HasSubstr(kPassword))));
  const auto checked = RunProcess(
      {.argv = {TocsinProgram(), "check", "config", folder_.File("state/discovered.yaml")}});
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->status, 0) << checked->output;
}

TEST_F(DiscoveryTest, NothingOnTheHostIsNoReasonNotToStart) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(Watches("host"));
  EXPECT_THAT(Output(), HasSubstr("servers=0"));

  // What starts later is found at the next reload.
  const auto redis = Redis();
  process_->Signal(SIGHUP);
  EXPECT_TRUE(WaitForTarget("redis")) << Output();
}

TEST_F(DiscoveryTest, AServerThatRefusesIsSaidWithWhatGrantsItAndTakenAtTheReload) {
  const auto postgres = Postgres();
  const auto redis = Redis({.arguments = {"--requirepass", kPassword}});
  const auto pgbouncer = Pgbouncer();
  const int before = CountOf(postgres->Output(), "FATAL");
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(Watches("host"));
  const std::string port = std::to_string(postgres->port());
  EXPECT_THAT(Output(),
              HasSubstr("sudo -u postgres psql -h " + postgres->socket_folder() + " -p " + port +
                        " -d postgres -c 'CREATE ROLE tocsin LOGIN' -c 'GRANT "
                        "pg_monitor TO tocsin'"));
  EXPECT_THAT(Output(), HasSubstr("sudo tocsin setup redis --role tocsin"));
  EXPECT_THAT(Output(), HasSubstr("sudo tocsin setup pgbouncer --role tocsin"));
  for (const char* kind : {"postgres", "pgbouncer", "redis"}) EXPECT_FALSE(Watches(kind)) << kind;
  // It does not go on knocking: a line in the server's log for each way in, no more.
  const int told = CountOf(postgres->Output(), "FATAL");
  EXPECT_LE(told - before, 2) << postgres->Output();

  ASSERT_TRUE(postgres->Execute("CREATE ROLE tocsin LOGIN; GRANT pg_monitor TO tocsin").ok());
  ASSERT_TRUE(redis
                  ->Command(std::string("-a ") + kPassword + " ACL SETUSER tocsin on >" +
                            kPassword + " +@all")
                  .ok());
  ASSERT_NO_FATAL_FAILURE(GivePassword("redis", kPassword));
  process_->Signal(SIGHUP);
  EXPECT_TRUE(WaitForTarget("postgres")) << Output();
  EXPECT_TRUE(WaitForTarget("redis")) << Output();
  EXPECT_EQ(CountOf(postgres->Output(), "FATAL"), told);
  EXPECT_THAT(Output(), Not(HasSubstr(kPassword)));
}

// Nobody else's descriptors can be seen: servers are known by sockets and titles.
TEST_F(DiscoveryTest, AnOrdinaryUserFindsThemTooAndPassesBySocketsItMayNotOpen) {
  const auto postgres = Postgres({.settings = {{"unix_socket_permissions", "0700"}}});
  ASSERT_TRUE(postgres->Execute("CREATE ROLE tocsin LOGIN; GRANT pg_monitor TO tocsin").ok());
  const auto pgbouncer = Pgbouncer({.settings = {{"stats_users", "tocsin"}, {"auth_type", "any"}}});
  const auto redis = Redis();
  const std::string socket = folder_.File("hidden.sock");
  auto hidden = ChildProcess::Start(
      {.argv = {"redis-server", "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700",
                "--save", "", "--dir", folder_.path()},
       .output = folder_.File("hidden.log")});
  ASSERT_TRUE(hidden.ok()) << hidden.error().message;
  ASSERT_TRUE((*hidden)->WaitForOutput("ready to accept connections at")) << (*hidden)->Output();
  ASSERT_NO_FATAL_FAILURE(Start("nobody"));
  EXPECT_TRUE(Watches("postgres")) << Output();
  EXPECT_THAT(Discovered(), HasSubstr("host=127.0.0.1 port=" + std::to_string(postgres->port())));
  EXPECT_THAT(Discovered(), HasSubstr("redis://127.0.0.1:" + std::to_string(redis->port())));
  EXPECT_THAT(Output(), HasSubstr("kind=pgbouncer address=" + pgbouncer->socket_folder() + ":" +
                                  std::to_string(pgbouncer->port())));
  EXPECT_THAT(Output(), HasSubstr("kind=redis address=" + socket));
  EXPECT_THAT(Output(), HasSubstr("ermission denied"));
}

TEST_F(DiscoveryTest, APasswordThatItMayNotReadIsSaid) {
  const auto redis = Redis();
  ASSERT_NO_FATAL_FAILURE(GivePassword("redis", kPassword));  // Of whoever runs the tests.
  ASSERT_NO_FATAL_FAILURE(Start("nobody"));
  EXPECT_TRUE(WaitForTarget("redis")) << Output();
  EXPECT_THAT(Output(), HasSubstr("left out of the search"));
  EXPECT_THAT(Output(), HasSubstr("redis.password: Permission denied"));
  EXPECT_THAT(Discovered(), Not(HasSubstr("redis.password")));
}

TEST_F(DiscoveryTest, AServerThatIsDownAtTheNextStartStaysATarget) {
  const auto redis = Redis();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(Watches("redis")) << Output();
  process_->Stop();
  redis->Stop();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(Watches("redis")) << Output();
  EXPECT_THAT(Output(), HasSubstr("not in sight now target=redis-"));

  // Removing its line forgets it.
  std::string text = Discovered();
  const auto at = text.find("redis:");
  ASSERT_NE(at, text.npos) << text;
  text.erase(at, text.find('\n', text.find("- {", at)) + 1 - at);
  ASSERT_TRUE(files_.WriteAtomically(folder_.File("state/discovered.yaml"), text).ok());
  process_->Signal(SIGHUP);
  EXPECT_TRUE(WaitUntil([&] { return !Watches("redis"); })) << Output();
}

TEST_F(DiscoveryTest, AServerThatHangsDelaysTheStartByAMomentAndIsWatched) {
  const auto redis = Redis();
  redis->Suspend();
  const SteadyTime before = clock_.SteadyNow();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_LT(clock_.SteadyNow() - before, std::chrono::seconds(8));
  EXPECT_THAT(Output(), HasSubstr("watched although it does not answer now"));
  EXPECT_TRUE(Watches("redis")) << Output();
  redis->Resume();
}

TEST_F(DiscoveryTest, AConfigurationThatWasNamedMustExist) {
  const auto run = RunProcess({.argv = {TocsinProgram(), "run", "--config", "/nowhere/tocsin.yaml"},
                               .environment = Environment()});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->status, 2) << run->output;
  EXPECT_THAT(run->output, HasSubstr("/nowhere/tocsin.yaml"));
  EXPECT_EQ(Discovered(), "");
}

TEST_F(DiscoveryTest, DoctorLooksAtWhatItWouldFindAndKeepsNothing) {
  const auto redis = Redis({.arguments = {"--requirepass", kPassword}});
  const auto doctor =
      RunProcess({.argv = {TocsinProgram(), "doctor", "--json"}, .environment = Environment()});
  ASSERT_TRUE(doctor.ok());
  EXPECT_EQ(doctor->status, 1) << doctor->output;
  EXPECT_THAT(doctor->output, AllOf(HasSubstr("redis-" + std::to_string(redis->port())),
                                    HasSubstr("sudo tocsin setup redis")));
  EXPECT_EQ(Discovered(), "");
}

}  // namespace
}  // namespace tocsin::testing
