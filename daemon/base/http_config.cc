#include "daemon/base/http_config.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>

namespace tocsin {
namespace {

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

void CheckReadable(ConfigReader& tls, std::string_view key, const std::string& path,
                   FileSystem& files) {
  if (path.empty()) return;
  if (const auto status = files.Status(path); !status.ok()) tls.Fail(key, status.error().message);
}

bool IsWord(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 32 && c < 127; });
}

bool HasLineBreak(const Secret& secret) {
  return secret.Reveal().find_first_of("\r\n") != std::string::npos;
}

void ReadAuthorization(ConfigReader reader, FileSystem& files, HttpRequest& request) {
  const std::string type = reader.String("type", "Bearer");
  request.authorization = reader.SecretValue("credentials", files);
  if (!IsWord(type)) {
    reader.Fail("type", "a word such as Bearer or Token");
  } else if (type == "Basic" || type == "basic") {
    reader.Fail("type", "use basic_auth");
  }
  if (request.authorization.empty()) {
    reader.Fail("credentials", "set credentials or credentials_file");
  } else if (HasLineBreak(request.authorization)) {
    reader.Fail("credentials", "credentials must not contain a line break");
  }
  reader.Finish();
  request.authorization_type = type;
}

void ReadCredentials(ConfigReader& reader, FileSystem& files, HttpRequest& request) {
  const bool has_basic = reader.Has("basic_auth");
  if (has_basic) {
    ConfigReader basic = reader.Map("basic_auth");
    request.basic_auth_user = basic.RequiredString("username");
    request.basic_auth_password = basic.SecretValue("password", files);
    basic.Finish();
  }
  request.authorization = reader.SecretValue("bearer_token", files);
  if (HasLineBreak(request.authorization)) {
    reader.Fail("bearer_token", "a token must not contain a line break");
  }
  if (has_basic && !request.authorization.empty()) {
    reader.Fail("basic_auth", "basic_auth and bearer_token exclude each other");
  }
  if (reader.Has("authorization")) {
    if (has_basic || !request.authorization.empty()) {
      reader.Fail("authorization", "authorization, basic_auth and bearer_token exclude each other");
    }
    ReadAuthorization(reader.Map("authorization"), files, request);
  }
}

// The value of a variable in capitals, or of that in small letters; empty if neither is set.
std::string Environment(std::string name) {
  const char* value = std::getenv(name.c_str());
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  if (value == nullptr || *value == '\0') value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : value;
}

void ReadProxy(ConfigReader& reader, HttpRequest& request) {
  request.proxy_url = reader.String("proxy");
  if (!request.proxy_url.empty() && !ParseHttpUrl(request.proxy_url)) {
    reader.Fail("proxy", "not a URL: write http://host:port");
  }
  request.no_proxy = reader.String("no_proxy");
  request.proxy_headers = reader.StringMap("proxy_connect_header");
  if (reader.Bool("proxy_from_environment", false)) {
    if (!request.proxy_url.empty() || !request.no_proxy.empty()) {
      reader.Fail("proxy_from_environment",
                  "the environment says proxy and no_proxy: leave them out");
    }
    request.proxy_url =
        Environment(request.url.starts_with("https:") ? "HTTPS_PROXY" : "HTTP_PROXY");
    // As Go has it: this machine is never reached through the environment's proxy.
    request.no_proxy = Environment("NO_PROXY") + ",localhost,127.0.0.0/8,::1";
    return;
  }
  for (const std::string_view key : {"no_proxy", "proxy_connect_header"}) {
    if (reader.Has(key) && request.proxy_url.empty()) {
      reader.Fail(key, "there is no proxy: set proxy or proxy_from_environment too");
    }
  }
}

}  // namespace

TlsOptions ReadTls(ConfigReader tls, FileSystem& files) {
  TlsOptions options;
  options.ca_file = tls.Path("ca_file");
  options.cert_file = tls.Path("cert_file");
  options.key_file = tls.Path("key_file");
  options.server_name = tls.String("server_name");
  options.insecure_skip_verify = tls.Bool("insecure_skip_verify", false);
  const auto version = [&tls](std::string_view key) {
    constexpr int kSpelledAsGo = 5;
    const int word = tls.Choice(
        key, {"default", "1.0", "1.1", "1.2", "1.3", "TLS10", "TLS11", "TLS12", "TLS13"}, 0);
    return static_cast<TlsVersion>(word < kSpelledAsGo ? word : word - kSpelledAsGo + 1);
  };
  options.min_version = version("min_version");
  options.max_version = version("max_version");
  if (options.max_version != TlsVersion::kDefault && options.max_version < options.min_version) {
    tls.Fail("max_version", "must not be below min_version");
  }
  CheckReadable(tls, "ca_file", options.ca_file, files);
  CheckReadable(tls, "cert_file", options.cert_file, files);
  CheckReadable(tls, "key_file", options.key_file, files);
  if (!options.key_file.empty() && options.cert_file.empty()) {
    tls.Fail("key_file", "a key needs its certificate: set cert_file too");
  }
  if (!options.cert_file.empty() && options.key_file.empty()) {
    tls.Fail("cert_file", "a certificate needs its key: set key_file too");
  }
  tls.Finish();
  return options;
}

IpPreference ReadIpFamily(ConfigReader& reader) {
  constexpr IpPreference kPreferences[] = {
      {0, false}, {4, false}, {6, false}, {4, true}, {6, true}};
  return kPreferences[reader.Choice("ip_family", {"any", "ip4", "ip6", "prefer_ip4", "prefer_ip6"},
                                    0)];
}

std::optional<UrlParts> ParseHttpUrl(const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return std::nullopt;
  UrlParts parts;
  parts.scheme = Part(url.get(), CURLUPART_SCHEME);
  parts.host = Part(url.get(), CURLUPART_HOST);
  parts.port = Part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  parts.path = Part(url.get(), CURLUPART_PATH);
  if (const std::string query = Part(url.get(), CURLUPART_QUERY); !query.empty()) {
    parts.path += "?" + query;
  }
  parts.has_user = !Part(url.get(), CURLUPART_USER).empty();
  if ((parts.scheme != "http" && parts.scheme != "https") || parts.host.empty()) {
    return std::nullopt;
  }
  return parts;
}

std::optional<std::string> FaultOfHttpUrl(const std::string& url) {
  const auto parts = ParseHttpUrl(url);
  if (!parts) return "not a URL: write http://host:port/path or https://host:port/path";
  if (parts->has_user) return "credentials do not belong in the URL: use basic_auth";
  return std::nullopt;
}

void RenewCredentials(HttpRequest& request, FileSystem& files) {
  request.basic_auth_password.Renew(files);
  request.authorization.Renew(files);
}

HttpRequest ReadHttpRequest(ConfigReader& reader, FileSystem& files, bool follow_redirects) {
  HttpRequest request;
  request.url = reader.RequiredString("url");
  if (!request.url.empty()) {
    if (const auto fault = FaultOfHttpUrl(request.url)) reader.Fail("url", *fault);
  }
  request.headers = reader.StringMap("headers");
  ReadCredentials(reader, files, request);
  request.tls = ReadTls(reader.Map("tls"), files);
  ReadProxy(reader, request);
  request.http2 = reader.Bool("http2", true);
  const IpPreference ip = ReadIpFamily(reader);
  request.ip_family = ip.family;
  request.ip_fallback = ip.fallback;
  request.follow_redirects = reader.Bool("follow_redirects", follow_redirects);
  return request;
}

}  // namespace tocsin
