#include <unistd.h>

#include "tests/unit/collectors/http/http_kind_fixture.h"

namespace tocsin::collectors::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

TEST_F(HttpKindTest, AsksAsConfigured) {
  Load(R"(
url: https://h.example/health?x=1
method: POST
headers: { X-A: b }
body: hello
basic_auth: { username: ann, password: secret }
tls: { server_name: other, insecure_skip_verify: true }
ip_family: ip6
)");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  Probe(Answer(200));
  EXPECT_EQ(target_.instance, "https://h.example/health?x=1");
  EXPECT_EQ(last_request_.url, target_.instance);
  EXPECT_EQ(last_request_.method, "POST");
  EXPECT_EQ(last_request_.body, "hello");
  EXPECT_EQ(last_request_.basic_auth_password.Reveal(), "secret");
  EXPECT_EQ(last_request_.tls.server_name, "other");
  EXPECT_EQ(last_request_.ip_family, 6);
  EXPECT_TRUE(last_request_.follow_redirects);
  EXPECT_TRUE(last_request_.fresh_connection);
}

TEST_F(HttpKindTest, SaysAllThatIsWrongInAConfiguration) {
  Load(R"(
url: http://ann:pw@h/
method: get
expect: { status: ["6xx"], body_regex: "(", json: { status: ok }, stauts: 200 }
extract:
  - { metric: probe_x, json: /a }
  - { metric: ok_name, json: a, type: histogram }
  - { json: /a }
  - { pool: mysql }
  - { pool: generic, max_overflow: 3 }
bearer_token: a
basic_auth: { username: u, password: p }
)");
  const std::string text = errors_.Text();
  for (const char* message :
       {"credentials do not belong in the URL", "a method is written in capitals",
        "\"6xx\" is no status", "regular expression \"(\"", "\"status\" is no JSON pointer",
        "unknown key \"stauts\" (did you mean \"status\"?)",
        "names with probe_ and tocsin_ are taken", "a JSON pointer must begin with /", "histogram",
        "either metric or pool", "mysql", "only an sqlalchemy pool has an overflow",
        "exclude each other"}) {
    EXPECT_THAT(text, HasSubstr(message));
  }
  EXPECT_THAT(text, Not(HasSubstr("pw")));
}

TEST_F(HttpKindTest, AGoodAnswerIsToldInBlackboxNames) {
  Load("url: http://h/");
  HttpExchange exchange = Answer(200, "{\"status\": \"ok\"}");
  exchange.response.headers = {{"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}};
  exchange.response.phases = {0.1, 0.2, 0, 0.3, 0.4};
  const Page page = Probe(exchange);
  EXPECT_EQ(page.at("probe_success"), 1);
  EXPECT_EQ(page.at("probe_http_status_code"), 200);
  EXPECT_EQ(page.at("probe_http_content_length"), 16);
  EXPECT_EQ(page.at("probe_http_uncompressed_body_length"), 16);
  EXPECT_EQ(page.at("probe_http_version"), 1.1);
  EXPECT_EQ(page.at("probe_ip_protocol"), 4);
  EXPECT_EQ(page.at("probe_ip_addr_hash"), 3668918509);  // As blackbox_exporter 0.23 showed it.
  EXPECT_EQ(page.at("probe_http_duration_seconds{phase=\"processing\"}"), 0.3);
  EXPECT_EQ(page.at("probe_http_last_modified_timestamp_seconds"), 1445412480);
  EXPECT_EQ(page.at("probe_http_ssl"), 0);
  EXPECT_THAT(page, Not(Contains(Key("probe_ssl_earliest_cert_expiry"))));
  EXPECT_THAT(page, Not(Contains(Key(HasSubstr("failure_info")))));
}

TEST_F(HttpKindTest, TlsIsToldByItsEarliestEndAndItsLeaf) {
  Load("url: https://h/");
  HttpExchange exchange = Answer(200);
  exchange.response.tls.version = "TLS 1.3";
  exchange.response.tls.cipher = "TLS_AES_128_GCM_SHA256";
  exchange.response.tls.certificates = {
      {FromUnixMillis(2'000'000), "ab", "CN=h", "CN=ca", "01", "h"},
      {FromUnixMillis(1'000'000), "cd", "CN=ca", "CN=ca", "02", ""}};
  exchange.response.tls.chain_end = FromUnixMillis(500'000);
  const Page page = Probe(exchange);
  EXPECT_EQ(page.at("probe_http_ssl"), 1);
  EXPECT_EQ(page.at("probe_ssl_earliest_cert_expiry"), 1000);
  EXPECT_EQ(page.at("probe_ssl_last_chain_expiry_timestamp_seconds"), 500);
  EXPECT_EQ(page.at("probe_tls_version_info{version=\"TLS 1.3\"}"), 1);
  EXPECT_EQ(page.at("probe_tls_cipher_info{cipher=\"TLS_AES_128_GCM_SHA256\"}"), 1);
  EXPECT_EQ(page.at("probe_ssl_last_chain_info{fingerprint_sha256=\"ab\", issuer=\"CN=ca\", "
                    "serialnumber=\"01\", subject=\"CN=h\", subjectalternative=\"h\"}"),
            1);
}

TEST_F(HttpKindTest, EveryFailureHasItsReason) {
  Load(R"(
url: http://h/
expect:
  status: [2xx, 404]
  http_versions: ["1.1"]
  tls: forbidden
  body_regex: "well"
  body_not_regex: "sick"
  headers: { X-Node: "^n\\d$" }
  json: { /state: "up", /load: 0.5, /deep/0: true }
)");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const std::string good = R"({"state":"up","load":0.50,"deep":[true],"say":"well"})";
  const auto answer = [&](int status, const std::string& body) {
    HttpExchange exchange = Answer(status, body);
    exchange.response.headers = {{"x-node", "n7"}};
    return exchange;
  };
  EXPECT_EQ(FailureOf(answer(200, good)), "");
  EXPECT_EQ(FailureOf(answer(404, good)), "");
  EXPECT_EQ(FailureOf(answer(500, good)), "status");
  EXPECT_EQ(FailureOf(answer(200, "{}")), "body");
  EXPECT_EQ(FailureOf(answer(200, good + "sick")), "body");
  EXPECT_EQ(FailureOf(answer(200, R"({"state":"down","load":0.5,"deep":[true],"s":"well"})")),
            "json");
  EXPECT_EQ(FailureOf(answer(200, "well, this is no JSON")), "json");
  HttpExchange exchange = answer(200, good);
  exchange.response.version = 2;
  EXPECT_EQ(FailureOf(exchange), "http_version");
  exchange = answer(200, good);
  exchange.response.tls.version = "TLS 1.3";
  EXPECT_EQ(FailureOf(exchange), "tls_expected");
  exchange = answer(200, good);
  exchange.response.headers = {{"X-Node", "m7"}};
  EXPECT_EQ(FailureOf(exchange), "header");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kDeadlineExceeded, HttpStage::kConnect)), "timeout");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kUnavailable, HttpStage::kResolve)), "dns");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kUnavailable, HttpStage::kConnect)), "connect");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kUnavailable, HttpStage::kTls)), "tls");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kUnavailable, HttpStage::kTransfer)), "broken");
  EXPECT_EQ(FailureOf(Broken(ErrorCode::kResourceExhausted, HttpStage::kTransfer)), "too_large");
  EXPECT_THAT(notes_, Contains("the probe failed: h:80: it broke"));
  const Page page = Probe(answer(200, good));
  EXPECT_EQ(page.at("tocsin_probe_attempts_total"), 17);
  EXPECT_EQ(page.at("tocsin_probe_failures_total{reason=\"json\"}"), 2);
  EXPECT_EQ(page.at("tocsin_probe_failures_total{reason=\"redirects\"}"), 0);
}

TEST_F(HttpKindTest, AProbeCutByItsTimeoutCountsInInfinityOnly) {
  Load("url: http://h/");
  Probe(Answer(200, "", 0.02));
  Probe(Answer(503, "", 7));
  Probe(Broken(ErrorCode::kUnavailable, HttpStage::kConnect, 0.001));
  const Page page = Probe(Broken(ErrorCode::kDeadlineExceeded, HttpStage::kProcessing, 2));
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_bucket{le=\"0.025\"}"), 1);
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_bucket{le=\"5\"}"), 1);
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_bucket{le=\"7.5\"}"), 2);
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_bucket{le=\"30\"}"), 2);
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_bucket{le=\"+Inf\"}"), 3);
  EXPECT_EQ(page.at("tocsin_probe_duration_seconds_count"), 3);
  EXPECT_DOUBLE_EQ(page.at("tocsin_probe_duration_seconds_sum"), 9.02);
}

TEST_F(HttpKindTest, CancellingIsNoAnswer) {
  Load("url: http://h/");
  model::MetricBatch batch;
  EXPECT_FALSE(
      collector_->Finish(Context(), Broken(ErrorCode::kCancelled, HttpStage::kWaiting), batch)
          .ok());
}

TEST_F(HttpKindTest, TakesNumbersOutOfTheAnswer) {
  Load(R"(
url: http://h/
extract:
  - { metric: users, json: /stats/users, labels: { kind: online } }
  - { metric: done_total, json: /stats/done~1all, type: counter }
  - { metric: wait_seconds, json: /stats/wait_ms, scale: 0.001 }
  - { metric: ready, json: /ready }
  - { metric: text_number, json: /text }
  - { metric: missing, json: /nowhere/at/all }
)");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const Page page = Probe(Answer(
      503, R"({"stats":{"users":10000,"done/all":5,"wait_ms":250},"ready":false,"text":"1.5"})"));
  EXPECT_EQ(page.at("users{kind=\"online\"}"), 10000);
  EXPECT_EQ(page.at("done_total"), 5);
  EXPECT_EQ(page.at("wait_seconds"), 0.25);
  EXPECT_EQ(page.at("ready"), 0);
  EXPECT_EQ(page.at("text_number"), 1.5);
  EXPECT_THAT(page, Not(Contains(Key("missing"))));
  EXPECT_EQ(
      page.at("tocsin_probe_extraction_success{extract=\"missing\", json=\"/nowhere/at/all\"}"), 0);
  EXPECT_EQ(page.at("tocsin_probe_extraction_success{extract=\"ready\", json=\"/ready\"}"), 1);
}

TEST_F(HttpKindTest, AJsonExpectationMayCompare) {
  Load(R"(
url: http://h/
expect:
  json:
    /state: "!= down"
    /queue: "<= 100"
    /free: "> 0.5"
    /version: "=~ ^2\\."
    /mode: "!~ read.?only"
    /sign: "== >5"
)");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const auto json = [](const std::string& state, const std::string& queue,
                       const std::string& version) {
    return Answer(200, R"({"state":")" + state + R"(","queue":)" + queue +
                           R"(,"free":0.75,"version":")" + version +
                           R"(","mode":"normal","sign":">5"})");
  };
  EXPECT_EQ(FailureOf(json("degraded", "100", "2.7")), "");
  EXPECT_EQ(FailureOf(json("down", "1", "2.7")), "json");
  EXPECT_EQ(FailureOf(json("up", "101", "2.7")), "json");
  EXPECT_EQ(FailureOf(json("up", "null", "2.7")), "json");
  EXPECT_EQ(FailureOf(json("up", "1", "12.7")), "json");
  EXPECT_EQ(FailureOf(Answer(200, "{}")), "json");
  EXPECT_THAT(notes_, Contains(HasSubstr("is not there")));
}

TEST_F(HttpKindTest, AHeaderMayBeLeftOutButNotWrong) {
  Load("{ url: http://h/, expect: { headers_if_present: { X-Cache: hit } } }");
  HttpExchange exchange = Answer(200);
  EXPECT_EQ(FailureOf(exchange), "");
  exchange.response.headers = {{"x-cache", "miss"}, {"X-Cache", "hit"}};
  EXPECT_EQ(FailureOf(exchange), "");
  exchange.response.headers = {{"x-cache", "miss"}};
  EXPECT_EQ(FailureOf(exchange), "header");
}

TEST_F(HttpKindTest, RetriesShareTheTimeAndCountEach) {
  Load("{ url: http://h/, retries: 2 }");
  const CollectContext context = Context();
  EXPECT_EQ(collector_->Start(context).time_limit, kDefaultTimeout / 3);
  clock_.Advance(std::chrono::seconds(2));
  const auto again = collector_->Again(context, Answer(503));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->time_limit, (kDefaultTimeout - std::chrono::seconds(2)) / 2);
  // Nothing is tried again once it is well, or was cancelled.
  EXPECT_FALSE(collector_->Again(context, Answer(200)));
  EXPECT_FALSE(collector_->Again(context, Broken(ErrorCode::kCancelled, HttpStage::kConnect)));
  EXPECT_TRUE(collector_->Again(context, Broken(ErrorCode::kUnavailable, HttpStage::kConnect)));
  EXPECT_FALSE(collector_->Again(context, Answer(503)));
  model::MetricBatch batch;
  ASSERT_TRUE(collector_->Finish(context, Answer(200), batch).ok());
  const Page page = testing::PageOfNumbers(batch);
  EXPECT_EQ(page.at("probe_success"), 1);
  EXPECT_EQ(page.at("tocsin_probe_attempts_total"), 3);
  EXPECT_EQ(page.at("tocsin_probe_successes_total"), 1);
  EXPECT_EQ(page.at("tocsin_probe_failures_total{reason=\"status\"}"), 1);
  EXPECT_EQ(page.at("tocsin_probe_failures_total{reason=\"connect\"}"), 1);
}

TEST_F(HttpKindTest, TheModulesOfBlackboxHaveTheirCounterparts) {
  const std::string body = ::testing::TempDir() + "tocsin_probe_body_" + std::to_string(getpid());
  ASSERT_TRUE(files_.WriteAtomically(body, "from a file").ok());
  Load("{ url: https://h/, method: PUT, body_file: " + body +
       ", compression: br, ip_family: prefer_ip4, tls: { min_version: '1.2', max_version: '1.3' } "
       "}");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const HttpRequest request = collector_->Start(Context());
  EXPECT_EQ(request.body, "from a file");
  EXPECT_EQ(request.accept_encoding, "br");
  EXPECT_EQ(request.ip_family, 4);
  EXPECT_TRUE(request.ip_fallback);
  EXPECT_EQ(request.tls.min_version, TlsVersion::k12);
  EXPECT_EQ(request.tls.max_version, TlsVersion::k13);
  Load("{ url: http://h/, body: a, body_file: " + body +
       ", retries: 11, expect: { json: { /a: "
       "'< ten' } }, tls: { min_version: '1.3', max_version: '1.2' } }");
  for (const char* message : {"exclude each other", "retries", "compares with no number",
                              "must not be below min_version"}) {
    EXPECT_THAT(errors_.Text(), HasSubstr(message));
  }
  unlink(body.c_str());
}

TEST_F(HttpKindTest, SoHaveTheirWaysThroughAProxyAndToProveWhoAsks) {
  Load(
      R"({ url: https://h/, http2: false, proxy: 'http://proxy:3128', no_proxy: '.local,10.0.0.0/8',
            proxy_connect_header: { Proxy-Authorization: Basic eDp5 },
            authorization: { type: Token, credentials: sesame } })");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const HttpRequest request = collector_->Start(Context());
  EXPECT_FALSE(request.http2);
  EXPECT_EQ(request.no_proxy, ".local,10.0.0.0/8");
  EXPECT_THAT(request.proxy_headers, ElementsAre(Pair("Proxy-Authorization", "Basic eDp5")));
  EXPECT_EQ(request.authorization_type + " " + request.authorization.Reveal(), "Token sesame");
  setenv("HTTPS_PROXY", "http://of.environment:1", 1);
  setenv("no_proxy", ".internal", 1);
  Load("{ url: https://h/, proxy_from_environment: true, authorization: { credentials: a } }");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const HttpRequest second = collector_->Start(Context());
  unsetenv("HTTPS_PROXY");
  unsetenv("no_proxy");
  EXPECT_EQ(second.proxy_url, "http://of.environment:1");
  EXPECT_EQ(second.no_proxy, ".internal,localhost,127.0.0.0/8,::1");
  EXPECT_TRUE(second.http2);
  EXPECT_EQ(second.authorization_type + " " + second.authorization.Reveal(), "Bearer a");
}

TEST_F(HttpKindTest, CredentialsInAFileAreReadAgainForEachRequest) {
  const std::string file = ::testing::TempDir() + "tocsin_probe_token_" + std::to_string(getpid());
  for (const std::string& credentials :
       {"bearer_token_file: " + file, "authorization: { credentials_file: " + file + " }"}) {
    ASSERT_TRUE(files_.WriteAtomically(file, "before").ok());
    Load("{ url: https://h/, " + credentials + " }");
    EXPECT_EQ(collector_->Start(Context()).authorization.Reveal(), "before") << credentials;
    ASSERT_TRUE(files_.WriteAtomically(file, "after").ok());
    EXPECT_EQ(collector_->Start(Context()).authorization.Reveal(), "after") << credentials;
  }
  unlink(file.c_str());
}

TEST_F(HttpKindTest, ProxiesAndCredentialsThatContradictThemselvesAreRefused) {
  Load("{ url: http://h/, no_proxy: a, bearer_token: t, authorization: { type: Basic } }");
  for (const char* message : {"there is no proxy", "exclude each other", "use basic_auth",
                              "set credentials or credentials_file"}) {
    EXPECT_THAT(errors_.Text(), HasSubstr(message));
  }
  Load("{ url: http://h/, proxy: 'http://p:1', proxy_from_environment: true }");
  EXPECT_THAT(errors_.Text(), HasSubstr("the environment says proxy and no_proxy"));
}

TEST_F(HttpKindTest, HostileJsonIsNoJson) {
  Load("{ url: http://h/, extract: [ { metric: x, json: /x } ] }");
  for (const std::string& body : {std::string(100'000, '['), std::string("{\"x\": 1"),
                                  std::string("\xff\xfe"), std::string()}) {
    EXPECT_EQ(
        Probe(Answer(200, body)).at("tocsin_probe_extraction_success{extract=\"x\", json=\"/x\"}"),
        0);
  }
}

}  // namespace
}  // namespace tocsin::collectors::http
