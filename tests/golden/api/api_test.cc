// The query API as its clients use it: each *.http holds requests, *.answers what the
// built program must answer. Requests begin with "### what for", then "METHOD path",
// header lines, an empty line and the body (a form, unless a header says otherwise).
//
// The daemon holds the same series in each: data.prom, taken in through the import
// endpoint, and what it needs for rules.yaml to fire. What differs from run to run
// (times, durations, the port) is replaced by a word in angle brackets.

#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/base/file_system.h"
#include "tests/support/daemon_process.h"
#include "tests/support/golden.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

const std::string kFolder = TOCSIN_SOURCE_DIR "/tests/golden/api";

struct ApiRequest {
  std::string purpose;
  HttpRequest request;
};

std::string ReadFile(const std::string& path) {
  PosixFileSystem files;
  const auto text = files.Read(path, FileSystem::kDefaultReadLimitBytes);
  EXPECT_TRUE(text.ok()) << text.error().message;
  return text.ok() ? *text : "";
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

void ReplaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::vector<ApiRequest> ReadRequests(const std::string& path) {
  std::vector<ApiRequest> requests;
  enum class Part { kPurpose, kTarget, kHeaders, kBody } part = Part::kPurpose;
  for (const std::string& line : Lines(ReadFile(path))) {
    if (line.starts_with("### ")) {
      requests.push_back({line.substr(4), {}});
      part = Part::kTarget;
    } else if (part == Part::kTarget) {
      const std::size_t space = line.find(' ');
      requests.back().request.method = line.substr(0, space);
      requests.back().request.url = line.substr(space + 1);
      part = Part::kHeaders;
    } else if (part == Part::kHeaders && !line.empty()) {
      const std::size_t colon = line.find(": ");
      requests.back().request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    } else if (part == Part::kHeaders) {
      part = Part::kBody;
    } else if (part == Part::kBody && !line.empty()) {
      requests.back().request.body += line;
    }
  }
  for (auto& [purpose, request] : requests) {
    if (request.method == "POST" && request.headers.empty()) {
      request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    }
  }
  return requests;
}

void HideWhatDiffers(json& node) {
  static const std::set<std::string> kDiffering = {
      "activeAt",      "evaluationTime",    "lastEvaluation", "lastScrape", "lastScrapeDuration",
      "evalTotalTime", "execTotalTime",     "innerEvalTime",  "startTime",  "serverTime",
      "CWD",           "lastConfigTime",    "GOMAXPROCS",     "hostname",   "goroutineCount",
      "tocsinVersion", "storage.tsdb.path", "groupNextToken"};
  if (node.is_array()) {
    for (json& item : node) HideWhatDiffers(item);
  }
  if (!node.is_object()) return;
  for (auto& [key, value] : node.items()) {
    if (kDiffering.contains(key)) {
      value = "<" + key + ">";
    } else {
      HideWhatDiffers(value);
    }
  }
}

// Times on text pages.
void HideMillis(std::string& text) {
  constexpr std::size_t kDigits = 13;
  for (std::size_t at = 0; (at = text.find(" 1", at)) != text.npos; ++at) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
    if (end - at - 1 == kDigits) text.replace(at + 1, kDigits, "<ms>");
  }
}

class ApiTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto daemon = DaemonProcess::Start(
        "interval: 1s\nweb: { accept_remote_write: true, external_url: http://tocsin.example }\n"
        "labels: { cluster: test }\n"
        "prometheus: [ { name: nobody, url: 'http://127.0.0.1:1/metrics' } ]\n"
        "rules: [ " +
        kFolder + "/rules.yaml ]\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    Import(ReadFile(kFolder + "/data.prom"));
    Import("pressure 7\n");  // Now: the rules read it.
    ASSERT_TRUE(daemon_->WaitForAlert("HighPressure", "firing")) << daemon_->Output();
    ASSERT_TRUE(daemon_->WaitForHealth("nobody", "down"));
    // Each group evaluates on its own lane.
    ASSERT_TRUE(WaitUntil([&] {
      return daemon_->Get("/api/v1/rules").body.find("\"unknown\"") == std::string::npos;
    }));
  }

  void Import(const std::string& page) {
    const HttpResponse taken = daemon_->Post("/api/v1/import/prometheus", page);
    ASSERT_EQ(taken.status, 204) << taken.body;
  }

  std::string AnswerText(HttpRequest request) {
    const HttpResponse response = daemon_->Ask(std::move(request));
    std::string text = std::to_string(response.status);
    for (const char* name : {"Content-Type", "Allow", "Access-Control-Allow-Origin"}) {
      const std::string value = response.Header(name);
      if (!value.empty()) text += std::string("\n") + name + ": " + value;
    }
    json body = json::parse(response.body, nullptr, false);
    if (body.is_discarded()) {
      text += "\n" + response.body;
    } else {
      HideWhatDiffers(body);
      text += "\n" + body.dump(2);
    }
    HideMillis(text);
    ReplaceAll(text, TOCSIN_SOURCE_DIR, "<source>");
    ReplaceAll(text, daemon_->folder(), "<folder>");
    ReplaceAll(text, ":" + std::to_string(daemon_->port()), ":<port>");
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }

  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_P(ApiTest, AnswersAsPrometheusDoes) {
  std::string answers;
  for (const auto& [purpose, request] : ReadRequests(kFolder + "/" + GetParam() + ".http")) {
    answers += "### " + purpose + "\n" + AnswerText(request) + "\n\n";
  }
  ExpectGolden(answers, kFolder + "/" + GetParam() + ".answers");
}

using ApiPagesTest = ApiTest;

TEST_P(ApiPagesTest, GroupsOfRulesFollowPageByPage) {
  std::vector<std::string> names;
  std::string token;
  do {
    const HttpResponse response = daemon_->Get("/api/v1/rules?group_limit=1" +
                                               (token.empty() ? "" : "&group_next_token=" + token));
    const json data = json::parse(response.body)["data"];
    for (const json& group : data["groups"]) names.push_back(group["name"]);
    token = data.value("groupNextToken", "");
  } while (!token.empty() && names.size() < 10);
  EXPECT_EQ(names, (std::vector<std::string>{"pressure", "quiet", "recorded"}));
}

TEST_P(ApiPagesTest, TheHeadIsCountedByMetricAndLabel) {
  const json data = json::parse(daemon_->Get("/api/v1/status/tsdb?limit=3").body)["data"];
  EXPECT_GT(data["headStats"]["numSeries"], 6);
  EXPECT_GT(data["headStats"]["chunkCount"], 6);
  EXPECT_EQ(data["headStats"]["minTime"], 0);
  for (const char* list : {"seriesCountByMetricName", "labelValueCountByLabelName",
                           "memoryInBytesByLabelName", "seriesCountByLabelValuePair"}) {
    ASSERT_EQ(data[list].size(), 3u) << list;
    EXPECT_GE(data[list][0]["value"], data[list][1]["value"]) << list;
  }
  const json all = json::parse(daemon_->Get("/api/v1/status/tsdb?limit=1000").body)["data"];
  const json& metrics = all["seriesCountByMetricName"];
  EXPECT_NE(std::find(metrics.begin(), metrics.end(),
                      json({{"name", "http_requests_total"}, {"value", 2}})),
            metrics.end());
}

TEST_P(ApiPagesTest, EveryAnswerIsDated) {
  for (const char* path : {"/-/healthy", "/api/v1/labels", "/nothing"}) {
    const std::string date = daemon_->Get(path).Header("Date");
    std::tm parts{};
    ASSERT_NE(strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts), nullptr) << date;
    const std::time_t now = ToUnixMillis(SystemClock().WallNow()) / 1000;
    EXPECT_NEAR(static_cast<double>(timegm(&parts)), static_cast<double>(now), 5) << date;
  }
}

TEST_P(ApiPagesTest, AnswersAreCompressedForWhoAsks) {
  HttpRequest request;
  request.url = "/api/v1/status/flags";
  const HttpResponse plain = daemon_->Ask(request);
  EXPECT_EQ(plain.Header("Content-Encoding"), "");
  request.accept_encoding = "gzip, deflate";
  const HttpResponse compressed = daemon_->Ask(request);
  EXPECT_EQ(compressed.Header("Content-Encoding"), "gzip");
  EXPECT_EQ(compressed.body, plain.body);
  EXPECT_LT(compressed.content_length, plain.content_length);
}

INSTANTIATE_TEST_SUITE_P(Golden, ApiPagesTest, ::testing::Values("pages"));
INSTANTIATE_TEST_SUITE_P(Golden, ApiTest,
                         ::testing::Values("grafana", "parameters", "rules", "status", "syntax"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tocsin::testing
