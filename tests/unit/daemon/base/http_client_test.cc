#include "daemon/base/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/support/http_server.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using testing::Always;
using ::testing::HasSubstr;
using testing::HttpServer;
using ::testing::Not;
using testing::ServedAnswer;
using testing::ServedRequest;
using Manner = ServedAnswer::Manner;

class CurlHttpClientTest : public ::testing::Test {
 protected:
  HttpExchange Get(const std::string& url, Millis limit = std::chrono::seconds(5)) {
    HttpRequest request;
    request.url = url;
    return Send(std::move(request), limit);
  }
  HttpExchange Send(HttpRequest request, Millis limit = std::chrono::seconds(5)) {
    return Fetch(client_, std::move(request), clock_.SteadyNow() + limit);
  }

  SystemClock clock_;
  CurlHttpClient client_{clock_};
};

TEST_F(CurlHttpClientTest, BringsStatusHeadersAndBody) {
  HttpServer server(
      Always({.status = 418, .body = "short and stout", .headers = {{"X-Pot", "tea"}}}));
  const auto exchange = Get(server.Url("/pot"));
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.status, 418);
  EXPECT_EQ(exchange.response.body, "short and stout");
  EXPECT_EQ(exchange.response.Header("x-pot"), "tea");
  EXPECT_EQ(exchange.response.content_length, 15);
  EXPECT_EQ(exchange.response.version, 1.1);
  EXPECT_EQ(exchange.response.ip_protocol, 4);
  EXPECT_EQ(exchange.response.ip_address, "127.0.0.1");
  EXPECT_GT(exchange.response.phases.connect, 0);
  EXPECT_GT(exchange.response.phases.processing, 0);
  EXPECT_EQ(exchange.response.phases.tls, 0);
  EXPECT_GT(exchange.response.duration_seconds, 0);
}

TEST_F(CurlHttpClientTest, SendsMethodBodyHeadersAndCredentials) {
  HttpServer server(Always({}));
  HttpRequest request;
  request.method = "PUT";
  request.url = server.Url("/thing");
  request.body = std::string("a\0b", 3);
  request.headers = {{"X-Empty", ""}, {"Content-Type", "application/x-test"}};
  request.basic_auth_user = "ann";
  request.basic_auth_password = Secret("secret");
  ASSERT_FALSE(Send(std::move(request)).error);
  const ServedRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.body, std::string("a\0b", 3));
  EXPECT_EQ(seen.Header("Content-Type"), "application/x-test");
  EXPECT_EQ(seen.Header("Authorization"), "Basic YW5uOnNlY3JldA==");
  EXPECT_EQ(seen.Header("User-Agent"), "tocsin");
  EXPECT_EQ(seen.Header("Expect"), "");
}

TEST_F(CurlHttpClientTest, GoesThroughAProxyUnlessThePeerIsExempt) {
  HttpServer proxy(Always({.status = 203, .body = "from the proxy"}));
  HttpServer peer(Always({.body = "from the peer"}));
  HttpRequest request;
  request.url = peer.Url("/page");
  request.proxy_url = proxy.Url();
  request.proxy_headers = {{"X-Tenant", "shop"}};
  EXPECT_EQ(Send(request).response.body, "from the proxy");
  EXPECT_EQ(proxy.requests().at(0).target, peer.Url("/page"));
  EXPECT_EQ(proxy.requests().at(0).Header("X-Tenant"), "");  // It would come to the peer.
  request.no_proxy = "other.example,127.0.0.0/8";
  EXPECT_EQ(Send(request).response.body, "from the peer");
}

TEST_F(CurlHttpClientTest, WhatIsForTheProxyGoesToTheProxyAlone) {
  HttpServer proxy(Always({.status = 403}));
  HttpRequest request;
  request.url = "https://shop.example/page";
  request.headers = {{"Authorization", "Token sesame"}};
  request.proxy_url = proxy.Url();
  request.proxy_headers = {{"X-Tenant", "shop"}};
  EXPECT_TRUE(Send(request).error);
  const ServedRequest asked = proxy.requests().at(0);
  EXPECT_EQ(asked.method, "CONNECT");
  EXPECT_EQ(asked.target, "shop.example:443");
  EXPECT_EQ(asked.Header("X-Tenant"), "shop");
  EXPECT_EQ(asked.Header("Authorization"), "");
  request.proxy_headers = {{"X-Tenant", "a\r\nX-Other: b"}};
  EXPECT_EQ(Send(request).error->code, ErrorCode::kInvalidArgument);
}

TEST_F(CurlHttpClientTest, ReusesAConnectionUnlessToldToMeasureTheWholeWay) {
  HttpServer server(Always({.body = "x"}));
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(Get(server.Url()).error);
  EXPECT_EQ(server.connections_accepted(), 1);
  for (int i = 0; i < 3; ++i) {
    HttpRequest request;
    request.url = server.Url();
    request.fresh_connection = true;
    const auto exchange = Send(std::move(request));
    ASSERT_FALSE(exchange.error);
    EXPECT_GT(exchange.response.phases.connect, 0);
  }
  EXPECT_EQ(server.connections_accepted(), 4);
}

TEST_F(CurlHttpClientTest, EndsEveryKindOfHangAtTheDeadline) {
  for (const Manner manner : {Manner::kHang, Manner::kHangInBody, Manner::kDrip}) {
    HttpServer server(
        Always({.body = std::string(1000, 'x'), .manner = manner, .delay = Millis(20)}));
    const auto started = clock_.SteadyNow();
    const auto exchange = Get(server.Url(), Millis(300));
    const auto took = clock_.SteadyNow() - started;
    ASSERT_TRUE(exchange.error) << static_cast<int>(manner);
    EXPECT_EQ(exchange.error->code, ErrorCode::kDeadlineExceeded);
    EXPECT_GE(took, Millis(300));
    EXPECT_LT(took, Millis(1300));
    EXPECT_EQ(exchange.response.status, manner == Manner::kHang ? 0 : 200);
  }
}

TEST_F(CurlHttpClientTest, SaysWhereTheTimeWent) {
  HttpServer hangs(Always({.manner = Manner::kHang}));
  EXPECT_THAT(Get(hangs.Url(), Millis(1000)).error->message, HasSubstr("waiting for the answer"));
  HttpServer warm_up(Always({}), {.tls = true});  // Reading the system's certificates takes time.
  (void)Get(warm_up.Url(), std::chrono::seconds(60));
  HttpServer silent(Always({}), {.silent = true});
  const std::string tls_url = "https://127.0.0.1:" + std::to_string(silent.port());
  EXPECT_THAT(Get(tls_url, Millis(1000)).error->message, HasSubstr("TLS handshake"));
}

TEST_F(CurlHttpClientTest, ReportsBrokenPeersAsUnavailable) {
  for (const Manner manner : {Manner::kCloseAtOnce, Manner::kCloseHalfWay, Manner::kNonsense}) {
    HttpServer server(Always({.body = "this is no HTTP at all\r\n", .manner = manner}));
    const auto exchange = Get(server.Url());
    ASSERT_TRUE(exchange.error) << static_cast<int>(manner);
    EXPECT_EQ(exchange.error->code, ErrorCode::kUnavailable) << exchange.error->message;
  }
}

TEST_F(CurlHttpClientTest, NamesHostAndPortButNeitherPathNorCredentials) {
  int dead_port = 0;
  { dead_port = HttpServer(Always({})).port(); }
  const auto exchange = Get("http://ann:hidden@127.0.0.1:" + std::to_string(dead_port) +
                            "/services/T0/B0/sesame?token=sesame");
  ASSERT_TRUE(exchange.error);
  EXPECT_EQ(exchange.error->code, ErrorCode::kUnavailable);
  EXPECT_THAT(exchange.error->message, AllOf(HasSubstr("127.0.0.1:" + std::to_string(dead_port)),
                                             HasSubstr("connection refused"),
                                             Not(HasSubstr("sesame")), Not(HasSubstr("hidden"))));
  EXPECT_THAT(exchange.response.effective_url, Not(HasSubstr("hidden")));
}

TEST_F(CurlHttpClientTest, RefusesUrlsAndHeadersThatCannotBeSent) {
  for (const char* url :
       {"", "nonsense", "ftp://h/", "file:///etc/passwd", "http://", "http://h:99999999/"}) {
    const auto exchange = Get(url);
    ASSERT_TRUE(exchange.error) << url;
    EXPECT_EQ(exchange.error->code, ErrorCode::kInvalidArgument)
        << url << ": " << exchange.error->message;
  }
  HttpServer server(Always({}));
  HttpRequest request;
  request.url = server.Url();
  request.headers = {{"X-A", "a\r\nX-Injected: yes"}};
  EXPECT_EQ(Send(request).error->code, ErrorCode::kInvalidArgument);
  request.headers.clear();
  request.authorization = Secret("a\nb");
  EXPECT_EQ(Send(request).error->code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(CurlHttpClientTest, StopsAtTheBodyLimit) {
  HttpServer server(Always({.body = std::string(100'000, 'x')}));
  HttpRequest request;
  request.url = server.Url();
  request.max_body_bytes = 99'999;
  EXPECT_EQ(Send(request).error->code, ErrorCode::kResourceExhausted);
  request.max_body_bytes = 100'000;
  EXPECT_FALSE(Send(request).error);
}

TEST_F(CurlHttpClientTest, FollowsRedirectsSummingTheirPhases) {
  HttpServer server([](const ServedRequest& request) {
    if (request.target == "/a")
      return ServedAnswer{.status = 302, .headers = {{"Location", "/b"}}, .delay = Millis(50)};
    if (request.target == "/b")
      return ServedAnswer{.status = 307, .headers = {{"Location", "c?x=1"}}, .delay = Millis(50)};
    return ServedAnswer{.body = "there"};
  });
  HttpRequest request;
  request.url = server.Url("/a");
  EXPECT_EQ(Send(request).response.status, 302);
  request.follow_redirects = true;
  const auto exchange = Send(request);
  EXPECT_EQ(exchange.response.status, 200);
  EXPECT_EQ(exchange.response.body, "there");
  EXPECT_EQ(exchange.response.redirects, 2);
  EXPECT_THAT(exchange.response.effective_url, HasSubstr("/c?x=1"));
  EXPECT_GE(exchange.response.phases.processing, 0.1);
}

TEST_F(CurlHttpClientTest, GivesUpAfterTenRedirects) {
  HttpServer server(Always({.status = 301, .headers = {{"Location", "/again"}}}));
  HttpRequest request;
  request.url = server.Url();
  request.follow_redirects = true;
  const auto exchange = Send(request);
  ASSERT_TRUE(exchange.error);
  EXPECT_EQ(exchange.response.redirects, 10);
  EXPECT_EQ(server.requests().size(), 11u);
}

TEST_F(CurlHttpClientTest, LeavesCredentialsWithTheHostTheyAreFor) {
  HttpServer stranger(Always({}));
  HttpServer home(Always({.status = 302, .headers = {{"Location", stranger.Url("/x")}}}));
  HttpRequest request;
  request.url = home.Url();
  request.follow_redirects = true;
  request.authorization = Secret("token");
  request.headers = {{"Cookie", "id=1"}, {"X-Plain", "p"}};
  ASSERT_FALSE(Send(request).error);
  EXPECT_EQ(home.requests().at(0).Header("Authorization"), "Bearer token");
  EXPECT_EQ(stranger.requests().at(0).Header("Authorization"), "");
  EXPECT_EQ(stranger.requests().at(0).Header("Cookie"), "");
  EXPECT_EQ(stranger.requests().at(0).Header("X-Plain"), "p");
}

TEST_F(CurlHttpClientTest, DescribesTlsAndChecksIt) {
  HttpServer server(Always({.body = "safe"}), {.tls = true});
  HttpRequest request;
  request.url = server.Url();
  const auto untrusted = Send(request);
  ASSERT_TRUE(untrusted.error);
  EXPECT_THAT(untrusted.error->message, HasSubstr("TLS: "));
  EXPECT_EQ(untrusted.response.stage, HttpStage::kTls);

  request.tls.ca_file = server.ca_file();
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  const HttpResponse& response = exchange.response;
  EXPECT_EQ(response.tls.version, "TLS 1.3");
  EXPECT_THAT(response.tls.cipher, HasSubstr("TLS_"));
  EXPECT_GT(response.phases.tls, 0);
  ASSERT_EQ(response.tls.certificates.size(), 1u);
  EXPECT_EQ(response.tls.certificates[0].not_after, server.certificate_end());
  EXPECT_EQ(response.tls.certificates[0].subject, "CN=localhost");
  EXPECT_EQ(response.tls.certificates[0].issuer, "CN=localhost");
  EXPECT_EQ(response.tls.certificates[0].serial_number, "7a11");
  EXPECT_EQ(response.tls.certificates[0].subject_alternative, "localhost");
  EXPECT_EQ(response.tls.certificates[0].fingerprint_sha256.size(), 64u);

  request.tls.server_name = "elsewhere.example";
  EXPECT_TRUE(Send(request).error);
  request.tls.server_name = "localhost";
  ASSERT_FALSE(Send(request).error);
  EXPECT_EQ(server.requests().back().Header("Host"), "127.0.0.1:" + std::to_string(server.port()));
  request.tls = {.insecure_skip_verify = true};
  EXPECT_FALSE(Send(request).error);
}

TEST_F(CurlHttpClientTest, AVersionOfTlsThatIsNotSharedIsRefused) {
  HttpServer server(Always({}), {.tls = true});
  HttpRequest request;
  request.url = server.Url();
  request.tls.ca_file = server.ca_file();
  request.tls.max_version = TlsVersion::k12;
  EXPECT_EQ(Send(request).response.tls.version, "TLS 1.2");
  request.tls.max_version = TlsVersion::k11;
  const auto exchange = Send(request);
  ASSERT_TRUE(exchange.error);
  EXPECT_EQ(exchange.response.stage, HttpStage::kTls);
}

TEST_F(CurlHttpClientTest, TellsWhenTheChainThatItVerifiedEnds) {
  HttpServer server(Always({}), {.tls = true});
  HttpRequest request;
  request.url = server.Url();
  request.tls.ca_file = server.ca_file();
  EXPECT_EQ(Send(request).response.tls.chain_end, server.certificate_end());
  request.tls = {.insecure_skip_verify = true};
  const auto response = Send(request).response;
  EXPECT_TRUE(response.tls);
  EXPECT_FALSE(response.tls.chain_end);
}

TEST_F(CurlHttpClientTest, ANameWithoutTheFamilyIsReachedOverTheOtherIfItMayBe) {
  HttpServer server(Always({}));
  HttpRequest request;
  request.url = server.Url();
  request.ip_family = 6;
  EXPECT_EQ(Send(request).response.stage, HttpStage::kResolve);
  request.ip_fallback = true;
  const auto exchange = Send(request);
  ASSERT_FALSE(exchange.error) << exchange.error->message;
  EXPECT_EQ(exchange.response.ip_protocol, 4);
  EXPECT_EQ(exchange.response.redirects, 0);
}

TEST_F(CurlHttpClientTest, ATimeLimitEndsARequestBeforeItsDeadline) {
  HttpServer server(Always({.manner = Manner::kHang}));
  HttpRequest request;
  request.url = server.Url();
  request.time_limit = Millis(200);
  const auto started = clock_.SteadyNow();
  EXPECT_EQ(Send(request, std::chrono::seconds(10)).error->code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(clock_.SteadyNow() - started, std::chrono::seconds(2));
}

TEST_F(CurlHttpClientTest, CancelEndsARequestOnce) {
  HttpServer server(Always({.manner = Manner::kHang}));
  std::promise<HttpExchange> ended;
  std::atomic<int> calls{0};
  HttpRequest request;
  request.url = server.Url();
  const auto id = client_.Start(request, clock_.SteadyNow() + std::chrono::seconds(30),
                                [&](HttpExchange exchange) {
                                  ++calls;
                                  ended.set_value(std::move(exchange));
                                });
  ASSERT_TRUE(server.WaitForRequests(1, std::chrono::seconds(5)));
  client_.Cancel(id);
  client_.Cancel(id);
  EXPECT_EQ(ended.get_future().get().error->code, ErrorCode::kCancelled);
  ASSERT_TRUE(Get(server.Url(), Millis(100)).error);  // The second Cancel has been seen by then.
  EXPECT_EQ(calls, 1);
}

TEST_F(CurlHttpClientTest, DestroyingTheClientEndsWhatIsUnderWay) {
  HttpServer server(Always({.manner = Manner::kHang}));
  std::optional<HttpExchange> ended;
  {
    CurlHttpClient client(clock_);
    HttpRequest request;
    request.url = server.Url();
    client.Start(request, clock_.SteadyNow() + std::chrono::seconds(30),
                 [&](HttpExchange e) { ended = std::move(e); });
  }
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error->code, ErrorCode::kCancelled);
}

TEST_F(CurlHttpClientTest, HundredHungPeersDelayNobody) {
  HttpServer hung(Always({}), {.silent = true});
  HttpServer well(Always({.body = "ok"}));
  std::atomic<int> overdue{0};
  for (int i = 0; i < 100; ++i) {
    HttpRequest request;
    request.url = hung.Url();
    client_.Start(request, clock_.SteadyNow() + std::chrono::seconds(2),
                  [&](HttpExchange exchange) {
                    if (exchange.error && exchange.error->code == ErrorCode::kDeadlineExceeded)
                      ++overdue;
                  });
  }
  const auto started = clock_.SteadyNow();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Get(well.Url()).response.body, "ok");
  EXPECT_LT(clock_.SteadyNow() - started, std::chrono::seconds(1));
  EXPECT_TRUE(Get(hung.Url(), std::chrono::seconds(3)).error);  // Ends after the hundred.
  EXPECT_EQ(overdue, 100);
}

TEST_F(CurlHttpClientTest, RequestsBeyondTheConnectionLimitWaitWithinTheirDeadline) {
  HttpServer hung(Always({.manner = Manner::kHang}));
  CurlHttpClient client(clock_, {.max_connections = 1});
  HttpRequest request;
  request.url = hung.Url();
  std::atomic<int> ended{0};
  client.Start(request, clock_.SteadyNow() + std::chrono::seconds(30),
               [&](HttpExchange) { ++ended; });
  const auto second = Fetch(client, request, clock_.SteadyNow() + Millis(200));
  ASSERT_TRUE(second.error);
  EXPECT_THAT(second.error->message, HasSubstr("waiting for a free connection"));
  EXPECT_EQ(ended, 0);
}

TEST(PercentEncodeTest, KeepsUnreservedBytesOnly) {
  EXPECT_EQ(PercentEncode("a-Z_0.~"), "a-Z_0.~");
  EXPECT_EQ(PercentEncode("a b/ä"), "a%20b%2F%C3%A4");
}

}  // namespace
}  // namespace tocsin
