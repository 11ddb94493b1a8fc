#include "tests/support/process.h"

#include <gtest/gtest.h>

#include "tests/support/postgres_server.h"

namespace tocsin::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ChildProcessTest, OutputAndExitStatusAreThoseOfTheProgram) {
  const auto finished = RunProcess(
      {.argv = {"sh", "-c", "echo $GREETING; exit 3"}, .environment = {{"GREETING", "hello"}}});
  ASSERT_TRUE(finished.ok()) << finished.error().message;
  EXPECT_EQ(finished->status, 3);
  EXPECT_EQ(finished->output, "hello\n");
}

TEST(ChildProcessTest, AProgramThatIsNotThereIsAnError) {
  const auto child = ChildProcess::Start({.argv = {"/nowhere/at-all"}});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().code, ErrorCode::kNotFound);
}

TEST(ChildProcessTest, TheHandleEndsWhatItStartedAlsoWhenItIsStopped) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::Start({.argv = {"sleep", "600"}});
    ASSERT_TRUE(child.ok());
    pid = (*child)->pid();
    (*child)->Signal(SIGSTOP);
    EXPECT_FALSE((*child)->Wait(milliseconds(20)).has_value());
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProcessTest, InputReachesTheProgram) {
  TemporaryFolder folder;
  auto child =
      ChildProcess::Start({.argv = {"cat"}, .output = folder.File("out"), .pipe_input = true});
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE((*child)->WriteInput("one\n"));
  EXPECT_TRUE((*child)->WaitForOutput("one\n"));
  (*child)->CloseInput();
  EXPECT_EQ((*child)->Wait(), 0);
  EXPECT_FALSE((*child)->WriteInput("two\n"));
}

TEST(PostgresServerTest, AnswersStopsAndStartsAgainOnItsData) {
  auto server = PostgresServer::Start({.settings = {{"max_connections", "7"}}});
  ASSERT_TRUE(server.ok()) << server.error().message;
  auto rows = (*server)->Execute("CREATE TABLE t AS SELECT 1 AS a; SHOW max_connections");
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(rows->at(0).at(0), "7");
  (*server)->Stop();
  EXPECT_FALSE((*server)->Execute("SELECT 1").ok());
  ASSERT_TRUE((*server)->StartAgain().ok());
  EXPECT_TRUE((*server)->Execute("SELECT a FROM t").ok());
}

}  // namespace
}  // namespace tocsin::testing
