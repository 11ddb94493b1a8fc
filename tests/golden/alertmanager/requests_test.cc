// Requests (*.requests) and what a daemon with alertmanager.yml answers (*.answers), all
// as files; in virtual time, so that every byte is the same each time.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/api/endpoints.h"
#include "daemon/app/daemon.h"
#include "daemon/base/text.h"
#include "tests/support/golden.h"
#include "tests/support/process.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_executor.h"

namespace tocsin::testing {
namespace {

const std::string kFolder = std::string(TOCSIN_SOURCE_DIR) + "/tests/golden/alertmanager/";

void Replace(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at; (at = text.find(what)) != text.npos;) text.replace(at, what.size(), with);
}

class RequestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_.File("tocsin.yaml"))
        << "alerting: " << kFolder
        << "alertmanager.yml\nrules: []\nstorage: { path: " << folder_.File("data") << " }\n";
    std::filesystem::create_directory(folder_.File("data"));
    http_.Answer("http://hook/", {ScriptedAnswer::Status(503), ScriptedAnswer::Status(200)});
    ConfigErrors errors;
    config::Config config = config::LoadConfig({folder_.File("tocsin.yaml"), ""}, files_, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    auto opened = app::Daemon::Open({clock_, executors_, http_, files_, "", 1}, std::move(config));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    daemon_ = *std::move(opened);
    ASSERT_TRUE(daemon_->Start().ok());
  }

  // "200" and the body, spread over lines if it is JSON.
  std::string Answer(const std::string& method, const std::string& target,
                     const std::string& body) {
    api::Request request;
    request.method = method;
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != target.npos) {
      request.params = api::ParseForm(std::string_view(target).substr(question + 1)).params;
    }
    request.body = body;
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    const api::Match match = api::FindEndpoint(request);
    if (!match.endpoint) return "404\n";
    if (!match.method_allowed) return "405\n";
    const api::Response response = match.endpoint->answer(daemon_->ApiContext("1.2.3"), request);
    const auto json = nlohmann::ordered_json::parse(response.body, nullptr, false);
    if (json.is_object() && json.contains("silenceID")) id_ = json["silenceID"];
    if (json.is_object() && json.contains("matchers")) start_ = json["startsAt"];
    return std::to_string(response.status) + "\n" +
           (json.is_discarded() ? response.body : json.dump(1) + "\n");
  }

  std::string AnswersTo(const std::string& name) {
    std::ifstream in(kFolder + name);
    std::string answers;
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line.starts_with('#')) continue;
      answers += ">>> " + line + "\n";
      if (line.starts_with("wait ")) {
        executors_.RunFor(ParseDuration(line.substr(5)).value());
        continue;
      }
      Replace(line, "{1}", id_);
      Replace(line, "{start}", start_);
      std::istringstream words(line);
      std::string method, target, body;
      words >> method >> target >> std::ws;
      std::getline(words, body);
      answers += Answer(method, target, body) + "\n";
    }
    return answers;
  }

  TemporaryFolder folder_;
  SimClock clock_{ParseTime("2026-11-25T10:00:00Z").value()};
  SimExecutors executors_{clock_};
  ScriptedHttpClient http_{clock_, executors_};
  PosixFileSystem files_;
  std::unique_ptr<app::Daemon> daemon_;
  std::string id_;
  std::string start_;
};

TEST_F(RequestsTest, GrafanasAlertmanagerDataSource) {
  ExpectGolden(AnswersTo("grafana.requests"), kFolder + "grafana.answers");
}

TEST_F(RequestsTest, WhyAnAlertIsToldOrNot) {
  ExpectGolden(AnswersTo("explain.requests"), kFolder + "explain.answers");
}

}  // namespace
}  // namespace tocsin::testing
