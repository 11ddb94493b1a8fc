// The kind tcp against real peers that behave and misbehave.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectors/http/tcp.h"
#include "tests/support/batch_reader.h"
#include "tests/support/collector_probe.h"
#include "tests/support/http_server.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"
#include "tests/support/scripted_peer.h"
#include "tests/support/smtp_server.h"

namespace tocsin::collectors::http {
namespace {

using testing::CollectorProbe;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::ScriptedPeer;
using testing::Series;
using testing::SmtpServer;
using testing::Value;

constexpr Millis kShort{400};

// A target at a port of this machine; `rest` is more of its YAML.
CollectorProbe Target(int port, const std::string& rest = {}, const char* scheme = "tcp") {
  return CollectorProbe(ParseTcpTarget, "{ url: '" + std::string(scheme) +
                                            "://127.0.0.1:" + std::to_string(port) + "'" +
                                            (rest.empty() ? "" : ", ") + rest + " }");
}

// Probes and returns the reason of the failure, empty if there is none.
std::string Reason(CollectorProbe& target, Millis timeout = std::chrono::seconds(5)) {
  const auto collected = target.Collect(timeout);
  EXPECT_TRUE(collected.ok()) << collected.error().message;
  EXPECT_LT(target.took(), timeout + std::chrono::seconds(1));
  for (const auto& [name, value] : Series(target.batch())) {
    if (!name.starts_with("tocsin_probe_failure_info")) continue;
    EXPECT_EQ(Value(target.batch(), "probe_success"), 0);
    const auto begin = name.find('"') + 1;
    return name.substr(begin, name.rfind('"') - begin);
  }
  EXPECT_EQ(Value(target.batch(), "probe_success"), 1);
  return "";
}

TEST(TcpKindTest, AConnectionThatStandsIsSuccess) {
  ScriptedPeer peer({});
  auto target = Target(peer.port());
  EXPECT_EQ(target.target().instance, "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(Reason(target), "");
  EXPECT_EQ(Value(target.batch(), "probe_ip_protocol"), 4);
  EXPECT_EQ(Value(target.batch(), "probe_ip_addr_hash"), 3668918509);
  EXPECT_EQ(Value(target.batch(), "probe_failed_due_to_regex"), 0);
  EXPECT_EQ(Value(target.batch(), "probe_failed_due_to_bytes"), 0);
  EXPECT_EQ(Value(target.batch(), "tocsin_probe_successes_total"), 1);
  EXPECT_EQ(Value(target.batch(), "tocsin_probe_duration_seconds_count"), 1);
}

// As blackbox_exporter's prober "unix": the same but for addresses.
TEST(TcpKindTest, AUnixSocketIsProbedAsAPortIs) {
  testing::TemporaryFolder folder;
  auto nobody = CollectorProbe(ParseTcpTarget, "{ url: 'unix://" + folder.File("no.sock") + "' }");
  EXPECT_EQ(Reason(nobody), "connect");
  auto redis = testing::RedisServer::Start();
  ASSERT_TRUE(redis.ok()) << redis.error().message;
  CollectorProbe target(ParseTcpTarget, "{ url: 'unix://" + (*redis)->socket_path() +
                                            "', query_response: [ { send: \"PING\\r\" }, { expect: "
                                            "'^\\+(PONG)', labels: { said: '${1}' } } ] }");
  EXPECT_EQ(target.target().instance, (*redis)->socket_path());
  EXPECT_EQ(target.target().address, "unix://" + (*redis)->socket_path());
  EXPECT_EQ(Reason(target), "");
  EXPECT_EQ(Value(target.batch(), "probe_expect_info{said=\"PONG\"}"), 1);
  EXPECT_FALSE(Value(target.batch(), "probe_ip_protocol").has_value());
}

TEST(TcpKindTest, EveryFailureEndsByItsDeadlineWithAReason) {
  auto nobody = Target(testing::FreePort());
  EXPECT_EQ(Reason(nobody), "connect");
  CollectorProbe unknown(ParseTcpTarget, "{ url: 'tcp://name.invalid:25' }");
  EXPECT_EQ(Reason(unknown), "dns");
  CollectorProbe four(ParseTcpTarget, "{ url: 'tcp://127.0.0.1:25', ip_family: ip6 }");
  EXPECT_EQ(Reason(four), "dns");
  ScriptedPeer silent({});
  auto waits = Target(silent.port(), "query_response: [ { expect: x } ]");
  EXPECT_EQ(Reason(waits, kShort), "timeout");
  auto handshake = Target(silent.port(), "", "tls");
  EXPECT_EQ(Reason(handshake, kShort), "timeout");
  ScriptedPeer closes({.answer = "hello\r\n", .answer_at_once = true, .close_after = true});
  auto other = Target(closes.port(), "query_response: [ { expect: '^220' } ]");
  EXPECT_EQ(Reason(other), "body");
  EXPECT_EQ(Value(other.batch(), "probe_failed_due_to_regex"), 1);
  auto bytes = Target(closes.port(), "query_response: [ { expect_bytes: HELLO } ]");
  EXPECT_EQ(Reason(bytes), "body");
  EXPECT_EQ(Value(bytes.batch(), "probe_failed_due_to_bytes"), 1);
  auto more = Target(closes.port(), "query_response: [ { expect_bytes: 'hello, this is long' } ]");
  EXPECT_EQ(Reason(more), "broken");
  EXPECT_EQ(Value(more.batch(), "probe_failed_due_to_bytes"), 0);
  auto plain = Target(closes.port(), "", "tls");
  EXPECT_EQ(Reason(plain), "tls");
}

TEST(TcpKindTest, EndlessTalkersCostADeadlineAndLittleMemory) {
  ScriptedPeer line({.answer = std::string(4096, 'x'), .answer_at_once = true, .repeat = true});
  auto endless_line = Target(line.port(), "query_response: [ { expect: end } ]");
  EXPECT_EQ(Reason(endless_line), "too_large");
  ScriptedPeer lines({.answer = "not yet\n", .answer_at_once = true, .repeat = true});
  auto endless_lines = Target(lines.port(), "query_response: [ { expect: end } ]");
  EXPECT_EQ(Reason(endless_lines, kShort), "timeout");
  ScriptedPeer drip({.answer = "220 at last\n",
                     .answer_at_once = true,
                     .between_bytes = std::chrono::milliseconds(2)});
  auto patient = Target(drip.port(), "query_response: [ { expect: '^220' } ]");
  EXPECT_EQ(Reason(patient), "");
}

TEST(TcpKindTest, AnswersGoIntoWhatIsSentAndIntoLabels) {
  SmtpServer server({.reply = [](const std::string& command) -> std::optional<std::string> {
    if (command == "CONNECT") return "220-first\r\n220 mx7 \"ready\" \xff";
    return std::nullopt;
  }});
  auto target = Target(server.port(), R"(query_response: [
    { expect: '^220 (?P<node>\w+) (.*)$', labels: { node: '${node}', rest: '${2}', cost: '$$5', lost: '$9' }, send: "EHLO $node.${1}\r" },
    { expect: '^250 ', send: "QUIT\r" },
    { expect: '^221' } ])");
  EXPECT_EQ(Reason(target), "");
  EXPECT_EQ(server.commands().at(0), "EHLO mx7.mx7");
  EXPECT_EQ(Value(target.batch(),
                  "probe_expect_info{cost=\"$5\",node=\"mx7\","
                  "rest=\"\\\"ready\\\" \xEF\xBF\xBD\"}"),
            1);
}

TEST(TcpKindTest, StartTlsTellsTheCertificate) {
  SmtpServer server({.tls = SmtpServer::Tls::kStartTls});
  const std::string steps = R"(query_response: [
    { expect: '^220', send: "EHLO probe\r" }, { expect: '^250 ' }, { send: "STARTTLS\r" },
    { expect: '^220', starttls: true }, { send: "EHLO probe\r" }, { expect: '^250 ', send: "QUIT\r" } ])";
  auto trusting = Target(server.port(), "tls: { ca_file: " + server.ca_file() + " }, " + steps);
  EXPECT_EQ(Reason(trusting), "");
  EXPECT_EQ(Value(trusting.batch(), "probe_tls_version_info{version=\"TLS 1.3\"}"), 1);
  const auto end = Value(trusting.batch(), "probe_ssl_earliest_cert_expiry");
  ASSERT_TRUE(end.has_value());
  EXPECT_GT(*end, 1e9);
  EXPECT_EQ(Value(trusting.batch(), "probe_ssl_last_chain_expiry_timestamp_seconds"), end);
  auto strict = Target(server.port(), steps);
  EXPECT_EQ(Reason(strict), "tls");
  auto old = Target(server.port(),
                    "tls: { ca_file: " + server.ca_file() + ", max_version: '1.2' }, " + steps);
  EXPECT_EQ(Reason(old), "");
  EXPECT_EQ(Value(old.batch(), "probe_tls_version_info{version=\"TLS 1.2\"}"), 1);
}

TEST(TcpKindTest, ACertificateThatIsOfAnotherHostOrHasEndedIsRefusedWithItsReason) {
  HttpServer good(testing::Always({}), {.tls = true});
  const std::string ca = "tls: { ca_file: " + good.ca_file();
  auto trusted = Target(good.port(), ca + " }", "tls");
  EXPECT_EQ(Reason(trusted), "");
  auto other = Target(good.port(), ca + ", server_name: other.example }", "tls");
  EXPECT_EQ(Reason(other), "tls");
  EXPECT_THAT(other.batch().notes().at(0), HasSubstr("hostname mismatch"));
  HttpServer ended(testing::Always({}),
                   {.tls = true, .certificate_lifetime = std::chrono::hours(-1)});
  auto late = Target(ended.port(), "tls: { ca_file: " + ended.ca_file() + " }", "tls");
  EXPECT_EQ(Reason(late), "tls");
  EXPECT_THAT(late.batch().notes().at(0), HasSubstr("certificate has expired"));
  // Whoever does not verify still hears when it ended.
  auto lenient = Target(ended.port(), "tls: { insecure_skip_verify: true }", "tls");
  EXPECT_EQ(Reason(lenient), "");
  EXPECT_EQ(Value(lenient.batch(), "probe_ssl_earliest_cert_expiry"),
            static_cast<double>(ToUnixMillis(ended.certificate_end())) / 1000);
}

TEST(TcpKindTest, RetriesShareTheTimeAndCountEach) {
  ScriptedPeer silent({});
  auto target = Target(silent.port(), "retries: 2, query_response: [ { expect: x } ]");
  EXPECT_EQ(Reason(target, std::chrono::milliseconds(900)), "timeout");
  EXPECT_EQ(silent.connections(), 3);
  EXPECT_EQ(Value(target.batch(), "tocsin_probe_attempts_total"), 3);
  EXPECT_EQ(Value(target.batch(), "tocsin_probe_failures_total{reason=\"timeout\"}"), 3);
  EXPECT_LT(Value(target.batch(), "probe_duration_seconds").value_or(99), 0.5);
}

TEST(TcpKindTest, AskedToStopItEndsAtOnce) {
  ScriptedPeer silent({});
  auto target = Target(silent.port(), "query_response: [ { expect: x } ]");
  std::stop_source stop;
  stop.request_stop();
  const auto collected = target.Collect(std::chrono::seconds(5), stop.get_token());
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kCancelled);
  EXPECT_LT(target.took(), std::chrono::seconds(1));
}

}  // namespace
}  // namespace tocsin::collectors::http
