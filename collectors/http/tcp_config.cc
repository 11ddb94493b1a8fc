#include "collectors/http/tcp_config.h"

#include <string_view>

#include "daemon/base/host_port.h"
#include "daemon/model/labels.h"

namespace tocsin::collectors::http {
namespace {

constexpr std::string_view kForm = "write tcp://host:port, tls://host:port or unix:///path";

void ReadUrl(ConfigReader& reader, TcpConfig& config) {
  const std::string url = reader.RequiredString("url");
  std::string_view rest = url;
  constexpr std::string_view kUnix = "unix://";
  if (rest.starts_with(kUnix) && rest.substr(kUnix.size()).starts_with('/')) {
    config.unix_path = rest.substr(kUnix.size());
    return;
  }
  if (rest.starts_with("tls://")) {
    config.tls_at_once = true;
  } else if (!rest.starts_with("tcp://")) {
    if (!url.empty()) reader.Fail("url", "not a TCP address: " + std::string(kForm));
    return;
  }
  rest.remove_prefix(std::string_view("tcp://").size());
  const auto parts = SplitHostPort(rest);
  const auto port = parts && parts->port ? ParsePort(*parts->port) : std::nullopt;
  if (!port || parts->host.empty() || parts->host.find_first_of("/@?# ") != rest.npos) {
    reader.Fail("url", "not a TCP address: " + std::string(kForm));
    return;
  }
  config.host = parts->host;
  config.port = *port;
}

QueryStep ReadStep(ConfigReader& reader) {
  QueryStep step;
  const std::string expect = reader.String("expect");
  if (!expect.empty()) step.expect = CompileRegex(reader, "expect", expect);
  step.expect_bytes = reader.String("expect_bytes");
  if (!expect.empty() && !step.expect_bytes.empty()) {
    reader.Fail("expect_bytes", "expect and expect_bytes exclude each other: use two steps");
  }
  step.labels = reader.StringMap("labels");
  for (const auto& [name, value] : step.labels) {
    if (!model::IsPlainLabelName(name)) reader.Fail("labels", "\"" + name + "\" is no label name");
  }
  if (!step.labels.empty() && expect.empty()) {
    reader.Fail("labels", "labels tell what expect has matched: set expect too");
  }
  step.send = reader.String("send");
  step.starttls = reader.Bool("starttls", false);
  if (expect.empty() && step.expect_bytes.empty() && step.send.empty() && !step.starttls) {
    reader.Fail("expect", "a step has expect, expect_bytes, send or starttls");
  }
  reader.Finish();
  return step;
}

}  // namespace

std::string TcpConfig::Instance() const {
  if (!unix_path.empty()) return unix_path;
  return HostPortText(host, port);
}

TcpConfig ParseTcpConfig(ConfigReader& reader, FileSystem& files) {
  TcpConfig config;
  ReadUrl(reader, config);
  config.tls = ReadTls(reader.Map("tls"), files);
  config.ip = ReadIpFamily(reader);
  config.retries = ReadRetries(reader);
  bool uses_tls = config.tls_at_once;
  bool has_labels = false;
  for (ConfigReader& step : reader.Maps("query_response")) {
    config.steps.push_back(ReadStep(step));
    if (config.steps.back().starttls && uses_tls) {
      step.Fail("starttls", "TLS is spoken already");
    }
    uses_tls = uses_tls || config.steps.back().starttls;
    if (!config.steps.back().labels.empty() && has_labels) {
      step.Fail("labels", "only one step may have labels");
    }
    has_labels = has_labels || !config.steps.back().labels.empty();
  }
  if (reader.Has("tls") && !uses_tls) {
    reader.Fail("tls", "TLS is not spoken here: write tls://host:port, or a step with starttls");
  }
  if (config.unix_path.empty()) return config;
  if (reader.Has("ip_family")) reader.Fail("ip_family", "a Unix socket has no address");
  if (uses_tls && config.tls.server_name.empty() && !config.tls.insecure_skip_verify) {
    reader.Fail("tls", "set server_name: a Unix socket does not say whose certificate it must be");
  }
  return config;
}

}  // namespace tocsin::collectors::http
