#include "daemon/api/api_config.h"

#include <unistd.h>

#include <array>

#include "daemon/base/host_port.h"

namespace tocsin::api {
namespace {

constexpr std::size_t kMaxUnixPathBytes = 107;  // sockaddr_un's.

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

void ReadWeb(ConfigReader web, FileSystem& files, ApiConfig& config) {
  config.tls_cert_file = web.Path("tls_cert_file");
  config.tls_key_file = web.Path("tls_key_file");
  if (config.tls_cert_file.empty() != config.tls_key_file.empty()) {
    web.Fail(config.tls_cert_file.empty() ? "tls_key_file" : "tls_cert_file",
             "\"tls_cert_file\" and \"tls_key_file\" need each other");
  }
  for (const std::string* path : {&config.tls_cert_file, &config.tls_key_file}) {
    if (path->empty()) continue;
    if (const auto content = files.Read(*path); !content.ok()) {
      web.Fail(path == &config.tls_cert_file ? "tls_cert_file" : "tls_key_file",
               content.error().message);
    }
  }
  for (auto& [user, hash] : web.StringMap("basic_auth_users")) {
    if (!hash.starts_with("$2")) {
      web.Fail("basic_auth_users", "the password of \"" + user +
                                       "\" must be a bcrypt hash (htpasswd -nB " + user + ")");
    }
    config.basic_auth_users.emplace_back(user, Secret(hash));
  }
  config.bearer_token = web.SecretValue("bearer_token", files);
  for (const char* key : {"bearer_token", "bearer_token_file"}) {
    if (web.Has(key) && web.Node(key).scalar().empty()) {
      web.Fail(key, "is empty: the API would be open to everybody");
    }
  }
  config.accept_remote_write = web.Bool("accept_remote_write", false);
  config.external_url = web.String("external_url");
  while (config.external_url.ends_with('/')) config.external_url.pop_back();
  web.Finish();
}

std::string DefaultExternalUrl(const ApiConfig& config) {
  const std::string scheme = config.tls_cert_file.empty() ? "http://" : "https://";
  for (const ListenAddress& address : config.listen) {
    if (address.unix_path.empty()) {
      return scheme + HostName() + ":" + std::to_string(address.port);
    }
  }
  return scheme + HostName();
}

}  // namespace

std::string ListenAddress::Text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return HostPortText(host, port);
}

Result<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress address;
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    if (address.unix_path.empty() || address.unix_path.size() > kMaxUnixPathBytes) {
      return Error{ErrorCode::kInvalidArgument, "a Unix socket's path has 1 to " +
                                                    std::to_string(kMaxUnixPathBytes) +
                                                    " bytes: \"" + text + "\""};
    }
    return address;
  }
  const auto parts = SplitHostPort(text);
  const std::string_view port = parts && parts->port ? *parts->port : std::string_view();
  const bool any = port == "0";  // Whichever is free.
  if (!any && !ParsePort(port)) {
    return Error{
        ErrorCode::kInvalidArgument,
        "not an address: \"" + text + "\" (write 127.0.0.1:9877, [::1]:9877, :9877 or unix:/path)"};
  }
  address.port = any ? 0 : *ParsePort(port);
  address.host = parts->host;
  if (address.host.empty()) address.host = "0.0.0.0";
  return address;
}

ApiConfig ParseApiConfig(ConfigReader& root, FileSystem& files) {
  ApiConfig config;
  for (const std::string& text : root.Strings("listen")) {
    const auto address = ParseListenAddress(text);
    if (address.ok()) {
      config.listen.push_back(*address);
    } else {
      root.Fail("listen", address.error().message);
    }
  }
  if (config.listen.empty()) config.listen.push_back({"127.0.0.1", kDefaultPort, ""});
  ReadWeb(root.Map("web"), files, config);
  if (config.external_url.empty()) config.external_url = DefaultExternalUrl(config);
  return config;
}

}  // namespace tocsin::api
