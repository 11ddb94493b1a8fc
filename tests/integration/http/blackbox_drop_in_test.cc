// Beside Debian's own blackbox_exporter, probing the same peers: whatever it shows of a
// probe, good or failed, the kinds http and tcp show too, with the same value.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectors/http/http.h"
#include "collectors/http/tcp.h"
#include "daemon/base/http_client.h"
#include "tests/support/collector_probe.h"
#include "tests/support/exporter_comparison.h"
#include "tests/support/http_server.h"
#include "tests/support/scripted_peer.h"
#include "tests/support/smtp_server.h"

namespace tocsin::testing {
namespace {

using Manner = ServedAnswer::Manner;

// How long something took is never the same twice.
constexpr Difference kTook[] = {
    {"probe_duration_seconds", "a time that was measured"},
    {"probe_dns_lookup_time_seconds", "a time that was measured"},
    {"probe_http_duration_seconds", "a time that was measured"},
};
constexpr Difference kTookOverTcp[] = {
    {"probe_duration_seconds", "a time that was measured"},
    {"probe_dns_lookup_time_seconds", "a time that was measured"},
};

// "hello, hello, hello\n", as gzip has it.
const std::string kZipped(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\xd7\x51\xc8\x40\xa2\xb8\x00\xe7"
    "\x42\x6e\x52\x14\x00\x00\x00",
    30);

// serialnumber is of 0.26: what 0.23 shows is compared without it.
void DropSerialNumber(ExporterPage& page) {
  const std::string kFamily = "probe_ssl_last_chain_info";
  if (!page.types.contains(kFamily)) return;
  for (auto one = page.series.begin(); one != page.series.end(); ++one) {
    const std::size_t begin = one->first.find(",serialnumber=");
    if (one->second.family != kFamily || begin == std::string::npos) continue;
    auto node = page.series.extract(one);
    node.key().erase(begin, node.key().find(",subject=", begin) - begin);
    page.series.insert(std::move(node));
    page.label_sets[kFamily] = {"fingerprint_sha256,issuer,subject,subjectalternative"};
    return;
  }
  ADD_FAILURE() << "no serial number";
}

struct Scenario {
  std::string name;
  std::string target;
  std::string module;  // What blackbox_exporter is told.
  std::string yaml;    // What we are told, beside the url.
};

class BlackboxDropInTest : public ::testing::Test {
 protected:
  void Compare(const std::string& prober, const std::vector<Scenario>& scenarios) {
    TemporaryFolder folder;
    std::string config = "modules:\n";
    for (const Scenario& one : scenarios) {
      config += "  " + one.name + ": { prober: " + prober + ", timeout: 700ms, " + prober +
                ": { preferred_ip_protocol: ip4" + (one.module.empty() ? "" : ", ") + one.module +
                " } }\n";
    }
    ASSERT_TRUE(files_.WriteAtomically(folder.File("blackbox.yml"), config).ok());
    auto exporter = PackagedExporter::Start("prometheus-blackbox-exporter",
                                            {"--config.file=" + folder.File("blackbox.yml")});
    ASSERT_TRUE(exporter.ok()) << exporter.error().message << "\n" << config;
    for (const Scenario& one : scenarios) {
      SCOPED_TRACE(one.name);
      const std::string path = "/probe?module=" + one.name + "&target=" + PercentEncode(one.target);
      const ExporterPage before = (*exporter)->Scrape(path);
      ExporterPage ours = prober == "http" ? ProbeHttp(one) : ProbeTcp(one);
      DropSerialNumber(ours);
      const ExporterPage after = (*exporter)->Scrape(path);
      EXPECT_GE(before.series.size(), 5u);
      const std::span<const Difference> differences =
          prober == "http" ? std::span<const Difference>(kTook) : kTookOverTcp;
      EXPECT_EQ(Lines(CompareWithExporter({before, ours, after}, "probe_", differences)), "");
    }
  }

  ExporterPage ProbeHttp(const Scenario& one) {
    ConfigErrors errors;
    ConfigReader reader(ConfigNode::Parse("{ ip_family: prefer_ip4, url: '" + one.target + "'" +
                                              (one.yaml.empty() ? "" : ", ") + one.yaml + " }",
                                          "t.yaml", ConfigNode::Expand::kNothing, errors),
                        errors);
    auto made = collectors::http::ParseHttpTarget(reader, files_).make({clock_, files_});
    reader.Finish();
    EXPECT_TRUE(errors.empty()) << errors.Text();
    auto& collector = *std::get<std::unique_ptr<collectors::HttpCollector>>(made);
    const collectors::CollectContext context{
        clock_, clock_.WallNow(), clock_.SteadyNow() + Millis(700), {}};
    model::MetricBatch batch;
    HttpExchange exchange = Fetch(client_, collector.Start(context), context.deadline);
    EXPECT_TRUE(collector.Finish(context, std::move(exchange), batch).ok());
    return PageOf(batch);
  }

  ExporterPage ProbeTcp(const Scenario& one) {
    const bool tls = one.module.starts_with("tls: true");
    CollectorProbe probe(collectors::http::ParseTcpTarget,
                         std::string("{ ip_family: prefer_ip4, url: '") +
                             (tls ? "tls://" : "tcp://") + one.target + "'" +
                             (one.yaml.empty() ? "" : ", ") + one.yaml + " }");
    EXPECT_TRUE(probe.Collect(Millis(700)).ok());
    return PageOf(probe.batch());
  }

  SystemClock clock_;
  PosixFileSystem files_;
  CurlHttpClient client_{clock_};
};

ServedAnswer Serve(const ServedRequest& request) {
  if (request.target == "/moved") return {.status = 302, .headers = {{"Location", "/page"}}};
  if (request.target == "/circle") return {.status = 301, .headers = {{"Location", "/circle"}}};
  if (request.target == "/missing") return {.status = 404, .body = "there is no such page"};
  if (request.target == "/chunked") return {.body = "well done", .manner = Manner::kChunked};
  if (request.target == "/hang") return {.manner = Manner::kHang};
  if (request.target == "/half") return {.body = "well done", .manner = Manner::kHangInBody};
  if (request.target == "/closes") return {.manner = Manner::kCloseAtOnce};
  if (request.target == "/large") return {.body = std::string(100'000, 'x')};
  if (request.target == "/zipped") {
    return {.body = kZipped, .headers = {{"Content-Encoding", "gzip"}}};
  }
  if (request.target == "/guarded") {
    const bool known = request.Header("Authorization") == "Basic YW5uOnBhc3M=" ||
                       request.Header("Authorization") == "Bearer sesame" ||
                       request.Header("Authorization") == "Token sesame";
    return {.status = known ? 200 : 401, .body = "guarded"};
  }
  if (request.target == "/echo") {
    return {.status = request.method == "POST" && request.Header("X-Ask") == "yes" ? 201 : 400,
            .body = request.body};
  }
  return {.body = "well done",
          .headers = {{"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}, {"X-Node", "n7"}}};
}

TEST_F(BlackboxDropInTest, OverHttp) {
  HttpServer server(Serve);
  HttpServer tls(Serve, {.tls = true});
  HttpServer ended(Serve, {.tls = true, .certificate_lifetime = std::chrono::hours(-1)});
  HttpServer proxy([](const ServedRequest&) -> ServedAnswer { return {.body = "from the proxy"}; });
  const std::string ca = "{ ca_file: '" + tls.ca_file() + "' }";
  const std::string lax = "{ insecure_skip_verify: true }";
  const std::string nobody = "http://127.0.0.1:" + std::to_string(FreePort()) + "/";
  const auto at = [&](const char* path) { return server.Url(path); };
  Compare(
      "http",
      {{"plain", at("/page"), "", ""},
       {"chunked", at("/chunked"), "", ""},
       {"missing", at("/missing"), "", ""},
       {"codes", at("/missing"), "valid_status_codes: [404]", "expect: { status: [404] }"},
       {"version", at("/page"), "valid_http_versions: [HTTP/2.0]",
        "expect: { http_versions: ['2'] }"},
       {"moved", at("/moved"), "", ""},
       {"stays", at("/moved"), "follow_redirects: false", "follow_redirects: false"},
       {"found", at("/moved"), "follow_redirects: false, valid_status_codes: [302]",
        "follow_redirects: false, expect: { status: [302] }"},
       {"circle", at("/circle"), "", ""},
       {"post", at("/echo"), "method: POST, body: 'a=1', headers: { X-Ask: 'yes' }",
        "method: POST, body: 'a=1', headers: { X-Ask: 'yes' }"},
       {"head", at("/page"), "method: HEAD", "method: HEAD"},
       {"body", at("/page"), "fail_if_body_not_matches_regexp: ['^well']",
        "expect: { body_regex: '^well' }"},
       {"no_body", at("/page"), "fail_if_body_not_matches_regexp: ['ill']",
        "expect: { body_regex: ill }"},
       {"bad_body", at("/page"), "fail_if_body_matches_regexp: [well]",
        "expect: { body_not_regex: well }"},
       {"header", at("/page"), "fail_if_header_not_matches: [ { header: X-Node, regexp: '^m' } ]",
        "expect: { headers: { X-Node: '^m' } }"},
       {"bad_header", at("/page"), "fail_if_header_matches: [ { header: X-Node, regexp: '^n' } ]",
        "expect: { headers_not: { X-Node: '^n' } }"},
       {"maybe_header", at("/page"),
        "fail_if_header_not_matches: [ { header: X-Other, regexp: a, allow_missing: true } ]",
        "expect: { headers_if_present: { X-Other: a } }"},
       {"basic", at("/guarded"), "basic_auth: { username: ann, password: pass }",
        "basic_auth: { username: ann, password: pass }"},
       {"bearer", at("/guarded"), "bearer_token: sesame", "bearer_token: sesame"},
       {"token", at("/guarded"), "authorization: { type: Token, credentials: sesame }",
        "authorization: { type: Token, credentials: sesame }"},
       {"unknown", at("/guarded"), "", ""},
       {"proxied", at("/page"), "proxy_url: '" + proxy.Url() + "'", "proxy: '" + proxy.Url() + "'"},
       {"zipped", at("/zipped"), "compression: gzip, headers: { Accept-Encoding: gzip }",
        "compression: gzip"},
       {"as_it_comes", at("/zipped"), "", ""},
       {"limit", at("/large"), "body_size_limit: 50KB", "body_size_limit: 50KiB"},
       {"plain_wanted", at("/page"), "fail_if_not_ssl: true", "expect: { tls: required }"},
       {"tls", tls.Url("/page"), "tls_config: " + ca, "tls: " + ca},
       {"tls_unwanted", tls.Url("/page"), "fail_if_ssl: true, tls_config: " + ca,
        "expect: { tls: forbidden }, tls: " + ca},
       {"tls_lax", tls.Url("/page"), "tls_config: " + lax, "tls: " + lax},
       {"tls_strict", tls.Url("/page"), "", ""},
       {"tls_ended", ended.Url("/page"), "tls_config: { ca_file: '" + ended.ca_file() + "' }",
        "tls: { ca_file: '" + ended.ca_file() + "' }"},
       {"tls_ended_lax", ended.Url("/page"), "tls_config: " + lax, "tls: " + lax},
       {"nobody", nobody, "", ""},
       {"no_name", "http://name.invalid/", "", ""},
       {"hang", at("/hang"), "", ""},
       {"half", at("/half"), "", ""},
       {"closes", at("/closes"), "", ""}});
}

TEST_F(BlackboxDropInTest, OverTcp) {
  ScriptedPeer open({});
  ScriptedPeer closes({.answer = "hello\r\n", .answer_at_once = true, .close_after = true});
  SmtpServer mail({.tls = SmtpServer::Tls::kStartTls});
  HttpServer tls(Serve, {.tls = true});
  const auto at = [](int port) { return "127.0.0.1:" + std::to_string(port); };
  const std::string starttls =
      "query_response: [ { expect: '^220 ([^ ]+)', send: \"EHLO ${1}\\r\" }, { expect: '^250 ' }, "
      "{ send: \"STARTTLS\\r\" }, { expect: '^220', starttls: true }, { send: \"EHLO probe\\r\" }, "
      "{ expect: '^250 ', send: \"QUIT\\r\" } ]";
  const std::string mail_ca = "{ ca_file: '" + mail.ca_file() + "' }";
  const std::string tls_ca = "{ ca_file: '" + tls.ca_file() + "' }";
  Compare("tcp", {{"connects", at(open.port()), "", ""},
                  {"nobody", at(FreePort()), "", ""},
                  {"no_name", "name.invalid:25", "", ""},
                  {"greeted", at(closes.port()), "query_response: [ { expect: '^hello$' } ]",
                   "query_response: [ { expect: '^hello$' } ]"},
                  {"not_greeted", at(closes.port()), "query_response: [ { expect: '^220' } ]",
                   "query_response: [ { expect: '^220' } ]"},
                  {"waits", at(open.port()), "query_response: [ { expect: '^220' } ]",
                   "query_response: [ { expect: '^220' } ]"},
                  {"starttls", at(mail.port()), "tls_config: " + mail_ca + ", " + starttls,
                   "tls: " + mail_ca + ", " + starttls},
                  {"starttls_strict", at(mail.port()), starttls, starttls},
                  {"tls", at(tls.port()), "tls: true, tls_config: " + tls_ca, "tls: " + tls_ca},
                  {"tls_strict", at(tls.port()), "tls: true", ""}});
}

}  // namespace
}  // namespace tocsin::testing
