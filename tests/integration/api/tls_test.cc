// The API over TLS, as a client meets it on the wire.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "daemon/base/http_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/process.h"
#include "tests/support/self_signed_certificate.h"
#include "tests/support/tls_client.h"

namespace tocsin::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = MakeSelfSignedCertificate(std::chrono::hours(24));
    std::ofstream(folder_.File("cert.pem")) << made.certificate_pem;
    std::ofstream(folder_.File("key.pem")) << made.key_pem;
    std::ofstream(folder_.File("tocsin.yaml"))
        << "rules: []\nlisten: 127.0.0.1:" << port_ << "\nstorage: { path: " << folder_.File("data")
        << " }\nweb: { tls_cert_file: cert.pem, tls_key_file: key.pem }\n";
    ProcessOptions options;
    options.argv = {TocsinProgram(), "run", "--config", folder_.File("tocsin.yaml")};
    options.output = folder_.File("out");
    auto started = ChildProcess::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message;
    process_ = *std::move(started);
    ASSERT_TRUE(WaitUntil([&] { return Ask("GET", "/-/ready").status == 200; }, seconds(20)));
  }

  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.url = "https://127.0.0.1:" + std::to_string(port_) + path;
    request.tls.ca_file = folder_.File("cert.pem");
    request.body = body;
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    return Fetch(client_, std::move(request), clock_.SteadyNow() + seconds(10)).response;
  }

  static std::size_t Answers(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("HTTP/1.1 ", at)) != text.npos; ++at) ++count;
    return count;
  }

  TemporaryFolder folder_;
  const int port_ = FreePort();
  SystemClock clock_;
  CurlHttpClient client_{clock_};
  std::unique_ptr<ChildProcess> process_;
};

TEST_F(TlsTest, SmallAndLargeRequestsAndAnswersOnKeptConnections) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Ask("GET", "/api/v1/query?query=1%2B1").body, HasSubstr("\"2\""));
    std::string alerts;
    for (int alert = 0; alert < 200; ++alert) {
      alerts += (alert > 0 ? ",{" : "{") + std::string("\"labels\":{\"alertname\":\"A") +
                std::to_string(alert) + "\"},\"annotations\":{\"text\":\"" +
                std::string(2000, 'x') + "\"}}";
    }
    EXPECT_EQ(Ask("POST", "/api/v2/alerts", "[" + alerts + "]").status, 200);
    EXPECT_GT(Ask("GET", "/api/v2/alerts").body.size(), 400'000u);
  }
}

// HEAD answers have no body behind which the library would close.
TEST_F(TlsTest, ABodyThatNobodyReadsIsNeverTakenForTheNextRequest) {
  const std::string hidden = "POST /-/reload HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n";
  for (const char* line : {"HEAD /-/healthy", "GET /-/healthy", "OPTIONS /nothing"}) {
    const std::string answer =
        TalkTls(port_, std::string(line) + " HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                           std::to_string(hidden.size()) + "\r\n\r\n" + hidden);
    EXPECT_EQ(Answers(answer), 1u) << line << "\n" << answer;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  }
}

TEST_F(TlsTest, AConnectionGoesOnBehindARequestThatWasRead) {
  const std::string next = "GET /-/healthy HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(Answers(TalkTls(port_, "HEAD /-/healthy HTTP/1.1\r\nHost: t\r\n\r\n" + next)), 2u);
}

TEST_F(TlsTest, WhoSpeaksNoTlsIsHungUpOnAndTheOthersAreServed) {
  EXPECT_EQ(TalkPlainly(port_, "GET /-/healthy HTTP/1.1\r\nHost: t\r\n\r\n").find("200"),
            std::string::npos);
  EXPECT_EQ(Ask("GET", "/-/healthy").status, 200);
}

}  // namespace
}  // namespace tocsin::testing
