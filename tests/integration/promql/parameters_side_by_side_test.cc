// The parameters of the query API, whole and broken, beside Debian's Prometheus 2.42 with
// the same series: the same status codes, errors and answers.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "daemon/formats/remote_write.h"
#include "tests/support/daemon_process.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr const char* kForm = "application/x-www-form-urlencoded";

class ParametersSideBySideTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto prometheus = PrometheusServer::Start(
        "{}\n", {"--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y"});
    ASSERT_TRUE(prometheus.ok()) << "install prometheus: " << prometheus.error().message;
    prometheus_ = *std::move(prometheus);
    auto daemon = DaemonProcess::Start("rules: []\nweb: { accept_remote_write: true }\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    std::vector<formats::RemoteWriteSeries> all;
    for (const char* job : {"a", "b"}) {
      all.push_back({{{"__name__", "m"}, {"job", job}}, {{1000, 1}, {61'000, 2}}});
    }
    for (const std::string& url : {prometheus_->Url(""), daemon_->Url("")}) {
      HttpRequest request;
      request.method = "POST";
      request.url = url + "/api/v1/write";
      request.body = formats::EncodeRemoteWrite(all);
      request.headers = formats::RemoteWriteHeaders();
      ASSERT_EQ(Send(std::move(request)).status, 204) << url;
    }
  }
  static void TearDownTestSuite() {
    daemon_.reset();
    prometheus_.reset();
  }
  void SetUp() override {
    if (!daemon_) GTEST_SKIP() << "no servers";
  }

  static HttpResponse Send(HttpRequest request) {
    static SystemClock clock;
    static CurlHttpClient client(clock);
    return Fetch(client, std::move(request), clock.SteadyNow() + std::chrono::seconds(10)).response;
  }

  // Status and what was said.
  static std::string Told(const std::string& url, const std::string& method,
                          const std::string& path, const std::string& body,
                          const std::string& type) {
    HttpRequest request;
    request.method = method;
    request.url = url + path;
    request.body = body;
    if (!body.empty()) request.headers = {{"Content-Type", type}};
    const HttpResponse response = Send(std::move(request));
    json root = json::parse(response.body, nullptr, false);
    if (root.is_object() && root.contains("error")) {
      // Of a query over a range 2.42 does not name the parameter.
      const std::string error = root["error"];
      const std::string named = "invalid parameter \"query\": ";
      if (path.find("query_range") != path.npos && error.starts_with(named)) {
        root["error"] = error.substr(named.size());
      }
    }
    return std::to_string(response.status) + " " + (root.is_object() ? root.dump() : response.body);
  }

  static void ExpectTheSame(const std::string& method, const std::string& path,
                            const std::string& body = "", const std::string& type = kForm) {
    EXPECT_EQ(Told(daemon_->Url(""), method, path, body, type),
              Told(prometheus_->Url(""), method, path, body, type))
        << method << " " << path << " " << body;
  }

  static inline std::unique_ptr<PrometheusServer> prometheus_;
  static inline std::unique_ptr<DaemonProcess> daemon_;
};

// What Go's strconv.ParseFloat takes, and what it does not.
const std::vector<std::string> kNumbers = {
    "0x10", "0x10p0", "0x1p4",   "0X1P4", "0x.8p5", "-0x1p4",    "1_0",     "1__0",  "_10",
    "10_",  "0x_1p4", "0x1_0p0", "1e1",   "1e+1_0", "1e",        "010",     "+10",   "--10",
    "10.",  ".5",     ".",       "1e400", "1e-400", "0x1p-2000", "5m",      "1h30m", "1m1h",
    "5",    "5 ",     "infinit", "0b11",  "0o17",   "ten",       "a\"b\tc", "1.0006"};

TEST_F(ParametersSideBySideTest, TimesAndStepsAreNumbersOfGo) {
  for (const std::string& number : kNumbers) {
    const std::string text = PercentEncode(number);
    ExpectTheSame("GET", "/api/v1/query?query=m&time=" + text);
    ExpectTheSame("GET", "/api/v1/query_range?query=m&start=0&end=60&step=" + text);
    ExpectTheSame("GET", "/api/v1/query_range?query=m&start=" + text + "&end=60&step=10");
    ExpectTheSame("GET", "/api/v1/query_range?query=m&start=0&step=10&end=" + text);
    ExpectTheSame("GET", "/api/v1/series?match[]=m&start=" + text);
    ExpectTheSame("GET", "/api/v1/labels?match[]=m&end=" + text);
  }
  for (const std::string text : {"0x10", "0x1p4", "1_0", "1__0", "5m", "1e400", "ten"}) {
    ExpectTheSame("GET", "/api/v1/query?query=1&time=0&timeout=" + text);
  }
  for (const std::string time :
       {"1970-01-01T00:01:00Z", "1970-01-01t00:01:00Z", "1970-01-01T00:01:00z",
        "1970-01-01T0:01:00Z", "1970-01-01T00:01:00,5Z", "1970-01-01T00:01:60Z",
        "1970-01-01T24:00:00Z", "1970-01-01T00:01:00", "1970-01-01T00:01:00.123456789%2B01:00",
        "1970-02-30T00:00:00Z", "1970-1-01T00:00:00Z", "10000-01-01T00:00:00Z"}) {
    ExpectTheSame("GET", "/api/v1/query?query=m&time=" + time);
  }
  for (const std::string number : {"NaN", "Inf", "-Inf", "infinity", "1e300", "9223372036.9", "-5",
                                   "0", "9223372036854775808"}) {
    ExpectTheSame("GET", "/api/v1/query_range?query=m&start=0&end=60&step=" + number);
  }
}

TEST_F(ParametersSideBySideTest, OfABrokenFormTheOtherParametersCount) {
  const std::vector<std::string> forms = {
      "query=m&time=1&x=%zz", "query=%zz&time=1",         "query=m&time=1&%zz=x",
      "query=m;time=1",       "query=m&time=1;x=y",       "query=m&time=1&x=%",
      "query=m&time=1&x=%4",  "query=m&query=n&time=1",   "&&query=m&&time=1&&",
      "query=m&time=1&=x",    "query=m&time=1&query",     "query=m%7Bjob%3D%22a%22%7D&time=1",
      "query=m+%2B+1&time=1", "query=\"a+b%20c\"&time=1", "query=m&time=1=2",
      "query=%6d&ti%6De=1",   "query=m%00&time=1",        "query=%ff&time=1"};
  for (const std::string& form : forms) {
    ExpectTheSame("GET", "/api/v1/query?" + form);
    ExpectTheSame("POST", "/api/v1/query", form);
    ExpectTheSame("POST", "/api/v1/query?time=61&query=m%7Bjob%3D%22b%22%7D", form);
    ExpectTheSame("POST", "/api/v1/query?x=%zz", form);
  }
  for (const std::string form : {"match[]=m&x=%zz", "match[]=m&x=%zz&y=1;2", "match[]=%zz",
                                 "match[]=m;x=y", "match[]=m&start=%4"}) {
    for (const std::string path : {"/api/v1/series", "/api/v1/labels"}) {
      ExpectTheSame("GET", path + "?" + form);
      ExpectTheSame("POST", path, form);
    }
    ExpectTheSame("GET", "/api/v1/label/job/values?" + form);
  }
  for (const std::string type :
       {"application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-URLEncoded",
        "application/x-www-form-urlencodedX", "text/plain", "application/json"}) {
    ExpectTheSame("POST", "/api/v1/query?time=1", "query=m", type);
  }
}

TEST_F(ParametersSideBySideTest, LabelsAreNamedInThePath) {
  for (const std::string path :
       {"job", "nobody", "__name__", "", "a%2Fb", "a/b", "%zz", "job//", "j%6Fb"}) {
    ExpectTheSame("GET", "/api/v1/label/" + path + "/values");
  }
  for (const std::string path :
       {"/api/v1/label/values", "/api/v1/label/job", "/api/v1//query", "//api/v1/query",
        "/api/v1/./labels", "/api/v1//labels/../query"}) {
    ExpectTheSame("GET", path + "?query=m&time=1&match[]=m");
  }
  ExpectTheSame("GET", "/api/v1/label/job/values?start=x");
  ExpectTheSame("GET", "/api/v1/label//values?start=x");
}

// README's rows on queries.
TEST_F(ParametersSideBySideTest, WhatDiffersOnPurposeDiffers) {
  const auto ours = [](const std::string& method, const std::string& path,
                       const std::string& body = "") {
    return Told(daemon_->Url(""), method, path, body, kForm);
  };
  const auto theirs = [](const std::string& method, const std::string& path,
                         const std::string& body = "") {
    return Told(prometheus_->Url(""), method, path, body, kForm);
  };
  const std::string deep =
      "time=1&query=" + PercentEncode(std::string(600, '(') + "1" + std::string(600, ')'));
  EXPECT_EQ(theirs("POST", "/api/v1/query", deep).substr(0, 3), "200");
  EXPECT_NE(ours("POST", "/api/v1/query", deep).find("nested more than 500 deep"),
            std::string::npos);
  const std::string large = "time=1&query=" + PercentEncode(R"(m{job=~"\\pL{1000}"})");
  EXPECT_EQ(theirs("POST", "/api/v1/query", large).substr(0, 3), "200");
  EXPECT_NE(ours("POST", "/api/v1/query", large)
                .find("1:3: parse error: error parsing regexp: "
                      "expression too large"),
            std::string::npos);
  for (const std::string time : {"NaN", "Inf", "1e300"}) {
    const std::string path = "/api/v1/query?query=1&time=" + time;
    EXPECT_EQ(theirs("GET", path).substr(0, 3), "200");
    EXPECT_NE(ours("GET", path).find("cannot parse"), std::string::npos);
  }
  EXPECT_EQ(theirs("GET", "/api/v1/query/?query=1").substr(0, 3), "301");
  EXPECT_EQ(ours("GET", "/api/v1/query/?query=1").substr(0, 3), "404");
}

// As programs write them.
TEST_F(ParametersSideBySideTest, LongChainsAreAnswered) {
  for (const auto& [first, rest] : std::vector<std::pair<std::string, std::string>>{
           {"m", " + m"}, {"m", " or m"}, {"1", " + 1"}, {"m", " * 1"}, {"m", " and m"}}) {
    std::string query = first;
    for (int i = 0; i < 1000; ++i) query += rest;
    ExpectTheSame("POST", "/api/v1/query", "time=61&query=" + PercentEncode(query));
    ExpectTheSame("POST", "/api/v1/query_range",
                  "start=0&end=60&step=10&query=" + PercentEncode(query));
  }
  std::string query = "m";
  for (int i = 0; i < 200; ++i) query += " + m";
  ExpectTheSame("POST", "/api/v1/format_query", "query=" + PercentEncode(query));
}

// Patterns that Go refuses, and large ones that it does not.
TEST_F(ParametersSideBySideTest, PatternsAreThoseOfGo) {
  for (const std::string pattern : {"a{1000}",
                                    "a{1001}",
                                    "(a{500}){3}",
                                    "(a{100}){10}",
                                    "((a{10}){10}){11}",
                                    ".{1000}",
                                    "a{2,1}",
                                    "a{1001,}",
                                    "a{,5}",
                                    "x**",
                                    "[b-a]",
                                    "\\\\8",
                                    "\\\\pX",
                                    "(?P<n>a)(?P<n>b)",
                                    "(?<n>a)",
                                    "a**",
                                    "[[:foo:]]",
                                    "(?i)(?s).",
                                    "\\\\z",
                                    "\\\\Z",
                                    "\\\\C",
                                    "a++",
                                    "(|a)*",
                                    "\\\\pL{100}",
                                    "[^\\\\pL]{50}"}) {
    ExpectTheSame("POST", "/api/v1/query",
                  "time=1&query=" + PercentEncode("m{job=~\"" + pattern + "\"}"));
  }
}

}  // namespace
}  // namespace tocsin::testing
