#include "collectors/http/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "daemon/base/text.h"
#include "tests/support/sim_clock.h"

namespace tocsin::collectors::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

using Page = std::map<std::string, double>;

// A batch as `name{a="b"}` → value.
Page Read(const model::MetricBatch& batch) {
  Page page;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    std::vector<model::LabelView> labels = {{model::kMetricName, row.name}};
    for (std::uint32_t j = row.first_label; j < row.first_label + row.label_count; ++j) {
      labels.push_back(batch.label(j));
    }
    page[model::Labels::FromPairs(labels).Text()] = row.value;
  }
  return page;
}

class HttpKindTest : public ::testing::Test {
 protected:
  // Makes the collector of a target; the errors of its configuration are in `errors_`.
  void Load(const std::string& yaml) {
    const ConfigNode node =
        ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_);
    ConfigReader reader(node, errors_);
    target_ = ParseHttpTarget(reader, files_);
    reader.Finish();
    auto any = target_.make({clock_, files_});
    collector_ = std::move(std::get<std::unique_ptr<HttpCollector>>(any));
  }

  CollectContext Context() {
    return {clock_, clock_.WallNow(), clock_.SteadyNow() + kDefaultTimeout, {}};
  }

  Page Probe(HttpExchange exchange) {
    model::MetricBatch batch;
    last_request_ = collector_->Start(Context());
    const auto finished = collector_->Finish(Context(), std::move(exchange), batch);
    EXPECT_TRUE(finished.ok());
    notes_ = batch.notes();
    return Read(batch);
  }

  static HttpExchange Answer(int status, std::string body = {}, double seconds = 0.02) {
    HttpExchange exchange;
    HttpResponse& response = exchange.response;
    response.status = status;
    response.content_length = static_cast<std::int64_t>(body.size());
    response.body = std::move(body);
    response.version = 1.1;
    response.ip_protocol = 4;
    response.ip_address = "127.0.0.1";
    response.stage = HttpStage::kTransfer;
    response.duration_seconds = seconds;
    return exchange;
  }
  static HttpExchange Broken(ErrorCode code, HttpStage stage, double seconds = 0.01) {
    HttpExchange exchange;
    exchange.response.stage = stage;
    exchange.response.duration_seconds = seconds;
    exchange.error = Error{code, "h:80: it broke"};
    return exchange;
  }
  std::string FailureOf(const HttpExchange& exchange) {
    const Page page = Probe(exchange);
    for (const auto& [name, value] : page) {
      const std::string prefix = "tocsin_probe_failure_info{reason=\"";
      if (name.starts_with(prefix)) {
        EXPECT_EQ(page.at("probe_success"), 0);
        return name.substr(prefix.size(), name.size() - prefix.size() - 2);
      }
    }
    EXPECT_EQ(page.at("probe_success"), 1);
    return "";
  }

  testing::SimClock clock_;
  PosixFileSystem files_;
  ConfigErrors errors_;
  ParsedTarget target_;
  std::unique_ptr<HttpCollector> collector_;
  HttpRequest last_request_;
  std::vector<std::string> notes_;
};

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
  exchange.response.tls_version = "TLS 1.3";
  exchange.response.tls_cipher = "TLS_AES_128_GCM_SHA256";
  exchange.response.certificates = {{FromUnixMillis(2'000'000), "ab", "CN=h", "CN=ca", "01", "h"},
                                    {FromUnixMillis(1'000'000), "cd", "CN=ca", "CN=ca", "02", ""}};
  const Page page = Probe(exchange);
  EXPECT_EQ(page.at("probe_http_ssl"), 1);
  EXPECT_EQ(page.at("probe_ssl_earliest_cert_expiry"), 1000);
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
  exchange.response.tls_version = "TLS 1.3";
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

TEST_F(HttpKindTest, HostileJsonIsNoJson) {
  Load("{ url: http://h/, extract: [ { metric: x, json: /x } ] }");
  for (const std::string& body : {std::string(100'000, '['), std::string("{\"x\": 1"),
                                  std::string("\xff\xfe"), std::string()}) {
    EXPECT_EQ(
        Probe(Answer(200, body)).at("tocsin_probe_extraction_success{extract=\"x\", json=\"/x\"}"),
        0);
  }
}

struct PoolCase {
  const char* flavour;
  const char* json;
  double in_use;
  double capacity;
};

class PoolFlavourTest : public HttpKindTest, public ::testing::WithParamInterface<PoolCase> {};

TEST_P(PoolFlavourTest, ComesDownToInUseAndCapacity) {
  Load(std::string("{ name: shop, url: http://h/, extract: [ { pool: ") + GetParam().flavour +
       ", json: /pool } ] }");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const Page page = Probe(Answer(200, std::string("{\"pool\": ") + GetParam().json + "}"));
  EXPECT_EQ(page.at("app_pool_in_use{pool=\"shop\"}"), GetParam().in_use);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"shop\"}"), GetParam().capacity);
}

INSTANTIATE_TEST_SUITE_P(
    Flavours, PoolFlavourTest,
    ::testing::Values(
        PoolCase{"sqlalchemy",
                 R"({"size":20,"checked_out":15,"checked_in":2,"overflow":-3,"max_overflow":40})",
                 15, 60},
        PoolCase{"sqlalchemy", R"({"pool_size":20,"checkedin":1,"overflow":5,"max_overflow":40})",
                 24, 60},
        PoolCase{"sqlalchemy", R"({"size":5,"checkedout":1,"max_overflow":-1})", 1, INFINITY},
        PoolCase{
            "sqlalchemy",
            R"("Pool size: 5  Connections in pool: 1 Current Overflow: -4 Current Checked out connections: 3")",
            3, 15},
        PoolCase{"hikaricp", R"({"active":7,"idle":3,"pending":2,"max":10})", 7, 10},
        PoolCase{"hikaricp", R"({"activeConnections":7,"totalConnections":9,"maximumPoolSize":12})",
                 7, 12},
        PoolCase{"hikaricp", R"({"active":7,"total":9})", 7, 9},
        PoolCase{
            "go_sql",
            R"({"MaxOpenConnections":50,"OpenConnections":9,"InUse":4,"Idle":5,"WaitCount":3,"WaitDuration":1500000000})",
            4, 50},
        PoolCase{"go_sql", R"({"max_open":0,"in_use":4})", 4, INFINITY},
        PoolCase{"generic", R"({"in_use":4,"capacity":8})", 4, 8},
        PoolCase{"generic", R"({"used":4,"free":6})", 4, 10},
        PoolCase{"generic", R"({"in_use":0,"capacity":0})", 0, 1}));

TEST_F(HttpKindTest, SqlAlchemysOverflowMayBeNegativeAndItsCapacityConfigured) {
  Load(
      "{ name: shop, url: http://h/, extract: [ { pool: sqlalchemy, json: '', max_overflow: 40 } ] "
      "}");
  const Page page =
      Probe(Answer(200, R"({"size":20,"checked_out":3,"checked_in":2,"overflow":-15})"));
  EXPECT_EQ(page.at("app_pool_overflow{pool=\"shop\"}"), -15);
  EXPECT_EQ(page.at("app_pool_size{pool=\"shop\"}"), 20);
  EXPECT_EQ(page.at("app_pool_idle{pool=\"shop\"}"), 2);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"shop\"}"), 60);
  EXPECT_EQ(page.at("tocsin_pool_capacity_assumed{pool=\"shop\"}"), 0);
}

TEST_F(HttpKindTest, WorkersBehindOneAddressAreKeptApartByPid) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: /pools } ] }");
  const auto worker = [](int pid, int in_use) {
    return Answer(200, R"({"pid":)" + std::to_string(pid) + R"(,"pools":{"main":{"in_use":)" +
                           std::to_string(in_use) + R"(,"capacity":10}}})");
  };
  Probe(worker(11, 3));
  clock_.Advance(std::chrono::minutes(1));
  Page page = Probe(worker(12, 5));
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"11\", pool=\"main\"}"), 3);
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"12\", pool=\"main\"}"), 5);
  clock_.Advance(std::chrono::minutes(5));
  page = Probe(worker(12, 6));
  EXPECT_THAT(page, Not(Contains(Key(HasSubstr("pid=\"11\"")))));
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"12\", pool=\"main\"}"), 6);
}

TEST_F(HttpKindTest, AHangingHealthPageCountsAsAnExhaustedPool) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: '' } ] }");
  const HttpExchange hang = Broken(ErrorCode::kDeadlineExceeded, HttpStage::kProcessing);
  EXPECT_THAT(Probe(hang), Not(Contains(Key(HasSubstr("app_pool")))));  // Nothing is known yet.
  Page page = Probe(Answer(200, R"({"in_use":4,"capacity":8,"idle":4})"));
  EXPECT_EQ(page.at("tocsin_pool_saturation_assumed{pool=\"shop\"}"), 0);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(std::chrono::minutes(10));
    page = Probe(hang);
    EXPECT_EQ(page.at("app_pool_in_use{pool=\"shop\"}"), 8);
    EXPECT_EQ(page.at("app_pool_idle{pool=\"shop\"}"), 0);
    EXPECT_EQ(page.at("tocsin_pool_saturation_assumed{pool=\"shop\"}"), 1);
  }
  EXPECT_EQ(Probe(Answer(200, R"({"in_use":1,"capacity":8})")).at("app_pool_in_use{pool=\"shop\"}"),
            1);
}

// Else an application that restarts, or a proxy's error page, would resolve the alert
// about its pool.
TEST_F(HttpKindTest, AFailureThatSaysNothingOfThePoolLeavesItAsItWasForFiveMinutes) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: '' } ] }");
  Probe(Answer(200, R"({"in_use":7,"capacity":8})"));
  for (const HttpExchange& failure : {Broken(ErrorCode::kUnavailable, HttpStage::kConnect),
                                      Answer(503, "<html>Service Unavailable</html>")}) {
    clock_.Advance(std::chrono::minutes(2));
    EXPECT_EQ(Probe(failure).at("app_pool_in_use{pool=\"shop\"}"), 7);
  }
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_THAT(Probe(Broken(ErrorCode::kUnavailable, HttpStage::kConnect)),
              Not(Contains(Key(HasSubstr("app_pool")))));
}

}  // namespace
}  // namespace tocsin::collectors::http
