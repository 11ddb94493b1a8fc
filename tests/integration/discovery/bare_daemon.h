#pragma once

// `tocsin run` without a configuration file, in a network of the test's own.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "tests/support/daemon_process.h"
#include "tests/support/own_network.h"
#include "tests/support/pgbouncer_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"

namespace tocsin::testing {

class BareDaemonTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { own_network_ = EnterOwnNetwork(); }

  void SetUp() override {
    if (!own_network_.ok()) {
      GTEST_SKIP() << "NOT TESTED: discovery needs a network of its own (" +
                          own_network_.error().message + "); run the tests as root";
    }
    if (std::filesystem::exists("/etc/tocsin/tocsin.yaml")) {
      GTEST_SKIP() << "NOT TESTED: this host has /etc/tocsin/tocsin.yaml";
    }
    std::filesystem::create_directory(folder_.File("credentials"));
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0777));
  }

  void TearDown() override {
    if (process_) process_->Stop();
  }

  // As `user`, or as the one who runs the tests.
  void Spawn(const std::string& user = "") {
    ProcessOptions options;
    std::string program = TocsinProgram();
    std::string rules = TOCSIN_SOURCE_DIR "/rules";
    if (!user.empty()) {  // Who may not be able to reach the build folder.
      namespace fs = std::filesystem;
      fs::copy_file(program, folder_.File("tocsin"), fs::copy_options::overwrite_existing);
      fs::create_directory(folder_.File("rules"));
      for (const char* name : {"booking-platform.yaml", "tocsin.yaml"}) {
        fs::copy_file(rules + "/" + name, folder_.File("rules") + "/" + name);
      }
      program = folder_.File("tocsin");
      rules = folder_.File("rules");
    }
    options.argv = {program, "run", "--rules-folder", rules};
    options.user = user;
    options.environment = Environment();
    options.output = folder_.File("out." + std::to_string(++starts_));
    auto started = ChildProcess::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message;
    process_ = *std::move(started);
  }

  void Start(const std::string& user = "") {
    ASSERT_NO_FATAL_FAILURE(Spawn(user));
    ASSERT_TRUE(WaitUntil([&] { return !process_->Running() || Get("/-/ready").status == 200; }));
    ASSERT_TRUE(process_->Running()) << process_->Output();
  }

  std::vector<std::pair<std::string, std::string>> Environment() const {
    return {{"STATE_DIRECTORY", folder_.File("state")},
            {"CREDENTIALS_DIRECTORY", folder_.File("credentials")},
            {"PGUSER", ""},
            {"JOURNAL_STREAM", "0:0"}};
  }

  void GivePassword(const std::string& kind, const std::string& password) {
    ASSERT_TRUE(files_
                    .WriteAtomically(folder_.File("credentials") + "/" + kind + ".password",
                                     password + "\n")
                    .ok());
  }

  HttpResponse Get(const std::string& path) {
    HttpRequest request;
    request.url = "http://127.0.0.1:9877" + path;
    return Fetch(client_, request, clock_.SteadyNow() + std::chrono::seconds(5)).response;
  }

  std::optional<double> Query(const std::string& expression) {
    const auto answer = nlohmann::json::parse(
        Get("/api/v1/query?query=" + PercentEncode(expression)).body, nullptr, false);
    if (!answer.is_object() || !answer.contains("data")) return std::nullopt;
    const auto result = answer["data"].value("result", nlohmann::json::array());
    if (result.size() != 1) return std::nullopt;
    return ParseDouble(result[0]["value"][1].get<std::string>());
  }

  bool WaitForValue(const std::string& expression, double value) {
    return WaitUntil([&] { return Query(expression) == value; }, std::chrono::seconds(30));
  }

  // Whether something of that kind is a target; its first poll is up to 15 seconds away.
  bool Watches(const std::string& kind) {
    const auto answer = nlohmann::json::parse(Get("/api/v1/targets").body, nullptr, false);
    if (!answer.is_object() || !answer.contains("data")) return false;
    for (const auto& target : answer["data"]["activeTargets"]) {
      if (target["labels"].value("job", "") == kind) return true;
    }
    return false;
  }

  bool WaitForTarget(const std::string& kind) {
    return WaitUntil([&] { return Watches(kind); });
  }

  std::string Discovered() const {
    PosixFileSystem files;
    const auto text = files.Read(folder_.File("state/discovered.yaml"));
    return text.ok() ? *text : std::string();
  }

  std::string Output() const { return process_->Output(); }

  static std::unique_ptr<PostgresServer> Postgres(PostgresServerOptions options = {}) {
    auto server = PostgresServer::Start(std::move(options));
    EXPECT_TRUE(server.ok()) << server.error().message;
    return server.ok() ? *std::move(server) : nullptr;
  }
  static std::unique_ptr<PgbouncerServer> Pgbouncer(PgbouncerServerOptions options = {}) {
    auto server = PgbouncerServer::Start(std::move(options));
    EXPECT_TRUE(server.ok()) << server.error().message;
    return server.ok() ? *std::move(server) : nullptr;
  }
  static std::unique_ptr<RedisServer> Redis(RedisServerOptions options = {}) {
    auto server = RedisServer::Start(std::move(options));
    EXPECT_TRUE(server.ok()) << server.error().message;
    return server.ok() ? *std::move(server) : nullptr;
  }

  static inline Result<> own_network_;
  TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
  CurlHttpClient client_{clock_};
  int starts_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace tocsin::testing
