// `tocsin query` and `tocsin alerts` against the built program: what they print, and
// how they reach a daemon that wants credentials or listens on a Unix socket.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "daemon/base/text.h"
#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

using ::testing::HasSubstr;

void Write(const std::string& path, const std::string& text) {
  PosixFileSystem files;
  ASSERT_TRUE(files.WriteAtomically(path, text).ok());
}

class QueryCommandTest : public ::testing::Test {
 protected:
  void Start(const std::string& config) {
    auto daemon = DaemonProcess::Start(config);
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
  }

  FinishedProcess Ask(std::vector<std::string> words) {
    words.insert(words.end(), {"--url", daemon_->Url("")});
    return RunTocsin(std::move(words));
  }

  TemporaryFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(QueryCommandTest, PrintsATableASparklineOrJson) {
  ASSERT_NO_FATAL_FAILURE(Start("web: { accept_remote_write: true }\n"));
  std::string page;
  for (int i = 0; i <= 8; ++i) {
    const std::string time = " " + std::to_string(i * 15'000) + "\n";
    page += "wave{i=\"up\"} " + std::to_string(i) + time;
    page += "wave{i=\"a very long one\"} " + std::to_string(8 - i) + time;
    page += "gone NaN" + time;
  }
  ASSERT_EQ(daemon_->Post("/api/v1/import/prometheus", page).status, 204);

  EXPECT_EQ(Ask({"query", "sort(wave)", "--time", "120"}).output,
            "wave{i=\"a very long one\"}  0\n"
            "wave{i=\"up\"}               8\n");
  EXPECT_EQ(Ask({"query", "wave", "--start", "0", "--end", "120"}).output,
            "wave{i=\"a very long one\"}  █▇▆▅▅▄▃▂▁  0 … 8, last 0\n"
            "wave{i=\"up\"}               ▁▂▃▄▅▅▆▇█  0 … 8, last 8\n");
  EXPECT_EQ(Ask({"query", "gone", "--start", "0", "--end", "30"}).output,
            "gone{}       no number\n");
  EXPECT_EQ(Ask({"query", "1 + 1"}).output, "2\n");
  EXPECT_EQ(Ask({"query", "\"text\""}).output, "text\n");
  EXPECT_EQ(Ask({"query", "nothing"}).output, "no series\n");
  const auto json = nlohmann::json::parse(Ask({"query", "wave", "--time", "120", "--json"}).output);
  EXPECT_EQ(json["data"]["resultType"], "vector");
  EXPECT_EQ(json["data"]["result"].size(), 2u);

  const FinishedProcess wrong = Ask({"query", "sum("});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.output, HasSubstr("parse error"));
}

TEST_F(QueryCommandTest, TimesMayBeSaidAsHowLongAgo) {
  ASSERT_NO_FATAL_FAILURE(Start(""));
  const auto seconds = [](const std::string& output) {
    return ParseDouble(TrimSpace(output)).value_or(0);
  };
  const auto now = static_cast<double>(ToUnixMillis(SystemClock().WallNow())) / 1000;
  EXPECT_NEAR(seconds(Ask({"query", "time()", "--time", "1h"}).output), now - 3600, 10);
  EXPECT_NEAR(seconds(Ask({"query", "time()"}).output), now, 10);
  EXPECT_EQ(Ask({"query", "time()", "--time", "0"}).output, "0\n");
  const auto json = nlohmann::json::parse(
      Ask({"query", "time()", "--start", "2m", "--end", "1m", "--step", "30s", "--json"}).output);
  const auto& values = json["data"]["result"][0]["values"];
  ASSERT_EQ(values.size(), 3u);
  EXPECT_NEAR(values[0][0].get<double>(), now - 120, 10);
}

// Longer than a server takes as a URL.
TEST_F(QueryCommandTest, AsksWithExpressionsOfAnyLength) {
  ASSERT_NO_FATAL_FAILURE(Start(""));
  std::string sum = "1";
  for (int i = 0; i < 10'000; ++i) sum += " +     1";
  EXPECT_EQ(Ask({"query", sum.substr(0, 1 + 8 * 400)}).output, "401\n");
  EXPECT_EQ(Ask({"query", "1" + std::string(100'000, ' ') + "+ 1"}).output, "2\n");
}

TEST_F(QueryCommandTest, AProtectedDaemonWantsATokenOrAPassword) {
  Write(folder_.File("token"), "let-me-in\n");
  Write(folder_.File("wrong"), "let-me\n");
  Write(folder_.File("password"), "test\n");
  // A bcrypt hash of "test".
  ASSERT_NO_FATAL_FAILURE(
      Start("web:\n  bearer_token_file: " + folder_.File("token") +
            "\n  basic_auth_users: { admin: "
            "'$2b$04$Qb6xsFoxiFJ2zQZi2hiI2ehdhCp1qpceEWLulyu2tBaqIY56whpb6' }\n"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"query", "1"}, std::vector<std::string>{"alerts"}}) {
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.begin(), words.begin(), words.end());
      return Ask(std::move(more));
    };
    EXPECT_EQ(with({"--token-file", folder_.File("token")}).status, 0);
    EXPECT_EQ(with({"--user", "admin", "--password-file", folder_.File("password")}).status, 0);
    FinishedProcess refused = with({});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.output, HasSubstr("wants credentials (--token-file, or --user with"));
    refused = with({"--token-file", folder_.File("wrong")});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.output, HasSubstr("refuses these credentials"));
    refused = with({"--user", "admin", "--password-file", folder_.File("wrong")});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(with({"--user", "admin"}).status, 2);
    refused = with({"--token-file", folder_.File("nothing")});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.output, HasSubstr(folder_.File("nothing")));
  }
}

TEST(UnixSocketTest, TheDaemonListensOnASocketThatItsGroupMayUse) {
  const TemporaryFolder folder;
  const std::string socket = folder.File("tocsin.sock");
  Write(folder.File("tocsin.yaml"), "listen: 'unix:" + socket + "'\n");
  const auto start = [&](const std::string& output) {
    ProcessOptions options;
    options.argv = {TocsinProgram(), "run", "--config", folder.File("tocsin.yaml")};
    options.output = folder.File(output);
    auto process = ChildProcess::Start(options);
    EXPECT_TRUE(process.ok());
    return *std::move(process);
  };
  const auto ask = [&] { return RunTocsin({"query", "40 + 2", "--url", "unix:" + socket}); };

  auto daemon = start("first");
  ASSERT_TRUE(WaitUntil([&] { return ask().output == "42\n"; })) << daemon->Output();
  struct stat status {};
  ASSERT_EQ(stat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);

  // A second daemon does not take the socket away; one after a crash does.
  EXPECT_EQ(start("second")->Wait().value_or(-1), 1);
  EXPECT_EQ(ask().output, "42\n");
  daemon->Signal(SIGKILL);
  daemon->Wait();
  daemon = start("third");
  ASSERT_TRUE(WaitUntil([&] { return ask().output == "42\n"; })) << daemon->Output();

  EXPECT_EQ(daemon->Stop().value_or(-1), 0) << daemon->Output();
  EXPECT_NE(stat(socket.c_str(), &status), 0);
  const FinishedProcess gone = ask();
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.output, HasSubstr("cannot ask unix:" + socket));
}

}  // namespace
}  // namespace tocsin::testing
