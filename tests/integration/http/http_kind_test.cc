// The kinds http and prometheus against real peers that behave and misbehave, over the
// real client.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectors/http/http.h"
#include "collectors/prometheus/prometheus.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "tests/support/http_server.h"
#include "tests/support/metric_page.h"
#include "tests/support/process.h"
#include "tests/support/scripted_peer.h"
#include "tests/support/self_signed_certificate.h"

namespace tocsin::collectors {
namespace {

using testing::Always;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::HttpServer;
using ::testing::Key;
using testing::ServedAnswer;
using Manner = ServedAnswer::Manner;
using Page = testing::MetricPage;

class HttpKindsTest : public ::testing::Test {
 protected:
  using Parse = ParsedTarget (*)(ConfigReader&, FileSystem&);

  void Load(Parse parse, const std::string& yaml) {
    ConfigErrors errors;
    const ConfigNode node = ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors);
    ConfigReader reader(node, errors);
    auto any = parse(reader, files_).make({clock_, files_});
    ASSERT_TRUE(errors.empty()) << errors.Text();
    collector_ = std::move(std::get<std::unique_ptr<HttpCollector>>(any));
  }

  Result<Page> Collect(Millis timeout) {
    const CollectContext context{clock_, clock_.WallNow(), clock_.SteadyNow() + timeout, {}};
    model::MetricBatch batch;
    HttpExchange exchange = Fetch(client_, collector_->Start(context), context.deadline);
    TOCSIN_RETURN_IF_ERROR(collector_->Finish(context, std::move(exchange), batch));
    return testing::PageOfNumbers(batch);
  }

  // Probes `url`, which more of the target's YAML may follow, and returns the reason of the
  // failure, empty if there is none.
  std::string ReasonOf(const std::string& url, Millis timeout = std::chrono::seconds(5)) {
    Load(http::ParseHttpTarget, "{ url: " + url + " }");
    const auto started = clock_.SteadyNow();
    const auto page = Collect(timeout);
    EXPECT_LT(clock_.SteadyNow() - started, timeout + std::chrono::seconds(1)) << url;
    EXPECT_TRUE(page.ok());
    for (const auto& [name, value] : *page) {
      if (!name.starts_with("tocsin_probe_failure_info")) continue;
      EXPECT_EQ(page->at("probe_success"), 0);
      const auto begin = name.find('"') + 1;
      return name.substr(begin, name.rfind('"') - begin);
    }
    EXPECT_EQ(page->at("probe_success"), 1);
    return "";
  }

  SystemClock clock_;
  PosixFileSystem files_;
  CurlHttpClient client_{clock_};
  std::unique_ptr<HttpCollector> collector_;
};

TEST_F(HttpKindsTest, AProbeOfASickPeerEndsByItsDeadlineWithAReason) {
  const auto sick = [](Manner manner) {
    return HttpServer::Respond(
        Always({.body = "nonsense from the wire\r\n", .manner = manner, .delay = Millis(100)}));
  };
  const Millis kTimeout(500);
  HttpServer hang(sick(Manner::kHang));
  EXPECT_EQ(ReasonOf(hang.Url(), kTimeout), "timeout");
  HttpServer half(sick(Manner::kHangInBody));
  EXPECT_EQ(ReasonOf(half.Url(), kTimeout), "timeout");
  HttpServer drip(sick(Manner::kDrip));
  EXPECT_EQ(ReasonOf(drip.Url(), kTimeout), "timeout");
  HttpServer silent(Always({}), {.silent = true});
  EXPECT_EQ(ReasonOf(silent.Url(), kTimeout), "timeout");
  HttpServer nonsense(sick(Manner::kNonsense));
  EXPECT_EQ(ReasonOf(nonsense.Url()), "broken");
  HttpServer closes(sick(Manner::kCloseAtOnce));
  EXPECT_EQ(ReasonOf(closes.Url()), "broken");
  HttpServer closes_half(sick(Manner::kCloseHalfWay));
  EXPECT_EQ(ReasonOf(closes_half.Url()), "broken");
  HttpServer circle(Always({.status = 302, .headers = {{"Location", "/"}}}));
  EXPECT_EQ(ReasonOf(circle.Url()), "redirects");
  HttpServer untrusted(Always({}), {.tls = true});
  EXPECT_EQ(ReasonOf(untrusted.Url()), "tls");
  EXPECT_EQ(ReasonOf("http://name.invalid/"), "dns");
  std::string gone;
  { gone = HttpServer(Always({})).Url(); }
  EXPECT_EQ(ReasonOf(gone), "connect");
}

// Neither the daemon's memory nor its time is theirs.
TEST_F(HttpKindsTest, WhatNeverEndsIsCutAtItsLimit) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
  testing::ScriptedPeer body(
      {.answer = head + "\r\n" + std::string(64 << 10, 'x'), .repeat = true});
  const std::string url = "http://127.0.0.1:" + std::to_string(body.port()) + "/";
  EXPECT_EQ(ReasonOf(url + ", body_size_limit: 1MiB"), "too_large");
  Load(prometheus::ParsePrometheusTarget, "{ url: '" + url + "', body_size_limit: 1MiB }");
  const auto page = Collect(std::chrono::seconds(5));
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().code, ErrorCode::kResourceExhausted) << page.error().message;
  testing::ScriptedPeer headers(
      {.answer = "HTTP/1.1 200 OK: yes\r\n" + std::string(9000, 'a') + ": b\r\n", .repeat = true});
  EXPECT_EQ(ReasonOf("http://127.0.0.1:" + std::to_string(headers.port()) + "/"), "too_large");
  testing::ScriptedPeer crawl(
      {.answer = head + "\r\nx", .between_bytes = std::chrono::milliseconds(20), .repeat = true});
  EXPECT_EQ(ReasonOf("http://127.0.0.1:" + std::to_string(crawl.port()) + "/", Millis(400)),
            "timeout");
}

TEST_F(HttpKindsTest, ACertificateOfAnotherHostOrThatHasEndedIsRefused) {
  HttpServer good(Always({}), {.tls = true});
  const std::string trusting = ", tls: { ca_file: " + good.ca_file();
  EXPECT_EQ(ReasonOf(good.Url() + trusting + " }"), "");
  EXPECT_EQ(ReasonOf(good.Url() + trusting + ", server_name: other.example }"), "tls");
  HttpServer ended(Always({}), {.tls = true, .certificate_lifetime = std::chrono::hours(-1)});
  EXPECT_EQ(ReasonOf(ended.Url() + ", tls: { ca_file: " + ended.ca_file() + " }"), "tls");
}

TEST_F(HttpKindsTest, ATlsProbeTellsTheCertificate) {
  HttpServer server(Always({.body = "fine"}), {.tls = true});
  Load(http::ParseHttpTarget,
       "{ url: '" + server.Url() + "', tls: { ca_file: " + server.ca_file() + " } }");
  const auto page = Collect(std::chrono::seconds(5));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->at("probe_success"), 1);
  EXPECT_EQ(page->at("probe_http_ssl"), 1);
  EXPECT_EQ(page->at("probe_ssl_earliest_cert_expiry"),
            static_cast<double>(ToUnixMillis(server.certificate_end())) / 1000);
  EXPECT_EQ(page->at("probe_tls_version_info{version=\"TLS 1.3\"}"), 1);
  EXPECT_THAT(*page, Contains(Key(HasSubstr("subject=\"CN=localhost\""))));
  EXPECT_GT(page->at("probe_http_duration_seconds{phase=\"tls\"}"), 0);
}

// openssl's server offers HTTP/2 and speaks 1.0: who takes the offer waits in vain.
TEST_F(HttpKindsTest, WhoDoesWithoutHttp2IsNotOfferedIt) {
  const auto certificate = testing::MakeSelfSignedCertificate(std::chrono::hours(24));
  testing::TemporaryFolder folder;
  ASSERT_TRUE(files_.WriteAtomically(folder.File("key"), certificate.key_pem).ok());
  ASSERT_TRUE(files_.WriteAtomically(folder.File("crt"), certificate.certificate_pem).ok());
  const std::string port = std::to_string(testing::FreePort());
  testing::ProcessOptions process;
  process.argv = {"openssl",          "s_server", "-accept",          port,   "-cert",
                  folder.File("crt"), "-key",     folder.File("key"), "-www", "-alpn",
                  "h2,http/1.1"};
  const auto server = testing::ChildProcess::Start(process);
  ASSERT_TRUE(server.ok()) << server.error().message;
  const std::string url = "https://127.0.0.1:" + port + "/, tls: { insecure_skip_verify: true }";
  EXPECT_TRUE(testing::WaitUntil([&] {
    Load(http::ParseHttpTarget, "{ url: " + url + ", http2: false }");
    const auto page = Collect(std::chrono::seconds(5));
    return page.ok() && page->at("probe_success") == 1;
  }));
  EXPECT_EQ(ReasonOf(url, Millis(500)), "timeout");
}

TEST_F(HttpKindsTest, ReadsThePoolBehindAHealthPageAndItsExhaustion) {
  std::atomic<bool> stalled{false};
  HttpServer server([&](const auto&) {
    ServedAnswer answer{.body = R"({"status":"healthy","pool":{"size":20,"checked_out":15,)"
                                R"("checked_in":5,"overflow":-5,"max_overflow":40}})"};
    if (stalled) answer.manner = Manner::kHang;
    return answer;
  });
  Load(http::ParseHttpTarget, "{ name: shop, url: '" + server.Url("/health") +
                                  "', expect: { json: { /status: healthy } }, extract: [ "
                                  "{ pool: sqlalchemy, json: /pool } ] }");
  auto page = Collect(std::chrono::seconds(5));
  EXPECT_EQ(page->at("app_pool_in_use{pool=\"shop\"}"), 15);
  EXPECT_EQ(page->at("app_pool_capacity{pool=\"shop\"}"), 60);
  stalled = true;
  page = Collect(Millis(300));
  EXPECT_EQ(page->at("probe_success"), 0);
  EXPECT_EQ(page->at("app_pool_in_use{pool=\"shop\"}"), 60);
  EXPECT_EQ(page->at("tocsin_probe_duration_seconds_count"), 2);
  EXPECT_EQ(page->at("tocsin_probe_duration_seconds_bucket{le=\"30\"}"), 1);
}

TEST_F(HttpKindsTest, ScrapesAPageOverAKeptConnection) {
  HttpServer server(Always({.body = "# TYPE a counter\na{x=\"1\"} 2\n",
                            .headers = {{"Content-Type", "text/plain; version=0.0.4"}}}));
  Load(prometheus::ParsePrometheusTarget,
       "{ url: '" + server.Url("/metrics") + "', bearer_token: sesame }");
  for (int i = 0; i < 3; ++i) {
    const auto page = Collect(std::chrono::seconds(5));
    ASSERT_TRUE(page.ok()) << page.error().message;
    EXPECT_EQ(page->at("a{x=\"1\"}"), 2);
  }
  EXPECT_EQ(server.connections_accepted(), 1);
  EXPECT_EQ(server.requests().at(0).Header("Authorization"), "Bearer sesame");
  EXPECT_THAT(server.requests().at(0).Header("Accept-Encoding"), HasSubstr("gzip"));
}

TEST_F(HttpKindsTest, AScrapeOfASickPeerFailsByItsDeadlineWithoutASecret) {
  const std::pair<Manner, ErrorCode> cases[] = {{Manner::kHang, ErrorCode::kDeadlineExceeded},
                                                {Manner::kDrip, ErrorCode::kDeadlineExceeded},
                                                {Manner::kNonsense, ErrorCode::kUnavailable},
                                                {Manner::kCloseHalfWay, ErrorCode::kUnavailable},
                                                {Manner::kWhole, ErrorCode::kCorruption}};
  for (const auto& [manner, code] : cases) {
    HttpServer server(
        Always({.body = "<html>nonsense</html>", .manner = manner, .delay = Millis(100)}));
    Load(prometheus::ParsePrometheusTarget,
         "{ url: '" + server.Url("/private-path") + "', bearer_token: sesame }");
    const auto started = clock_.SteadyNow();
    const auto page = Collect(Millis(500));
    EXPECT_LT(clock_.SteadyNow() - started, Millis(1500));
    ASSERT_FALSE(page.ok());
    EXPECT_EQ(page.error().code, code) << page.error().message;
    EXPECT_THAT(page.error().message,
                ::testing::Not(AnyOf(HasSubstr("sesame"), HasSubstr("private"))));
  }
}

}  // namespace
}  // namespace tocsin::collectors
