// Mail receivers, as Alertmanager's file has them: email_configs and the smtp_* of global.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "daemon/base/host_port.h"
#include "daemon/base/http_config.h"
#include "daemon/formats/letter_case.h"
#include "daemon/formats/mail_message.h"
#include "daemon/formats/template_functions.h"
#include "daemon/notify/config_parts.h"

namespace tocsin::notify {
namespace {

bool IsTemplate(const std::string& text) { return text.find("{{") != text.npos; }

bool HasLineBreak(const std::string& text) { return text.find_first_of("\r\n") != text.npos; }

// HOST:PORT; an IPv6 address in brackets.
void ReadSmarthost(ConfigReader& reader, const std::string& text, EmailConfig& email) {
  const auto parts = SplitHostPort(text);
  const auto port = parts && parts->port ? ParsePort(*parts->port) : std::nullopt;
  if (!port || parts->host.empty() || parts->host.find_first_of(" \t\r\n/?#@") != text.npos) {
    reader.Fail("smarthost", fmt::format("\"{}\" is not HOST:PORT", text));
    return;
  }
  email.host = HostText(parts->host);
  email.port = fmt::format("{}", *port);
}

// What is no template can be judged now.
void CheckAddresses(ConfigReader& reader, std::string_view key, const std::string& text,
                    std::size_t most) {
  if (text.empty() || IsTemplate(text)) return;
  const auto addresses = formats::ParseMailAddresses(text);
  if (!addresses.ok()) {
    reader.Fail(key, addresses.error().message);
  } else if (addresses->size() > most) {
    reader.Fail(key, fmt::format("must be one address, not {}", addresses->size()));
  }
}

// Names in Go's spelling, sorted; To, From and Subject are always there.
void ReadHeaders(ConfigReader& reader, EmailConfig& email) {
  constexpr std::array<std::string_view, 3> kOurs = {"Content-Type", "Content-Transfer-Encoding",
                                                     "Mime-Version"};
  const auto has = [&](std::string_view name) {
    return std::any_of(email.headers.begin(), email.headers.end(),
                       [&](const auto& header) { return header.first == name; });
  };
  for (auto& [key, value] : reader.StringMap("headers")) {
    const std::string name =
        formats::TitleCase(formats::LowerCase(key));  // Their case means nothing.
    if (!formats::IsMailHeaderName(key)) {
      reader.Fail("headers", fmt::format("\"{}\" is not a header's name", key));
    } else if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) {
      reader.Fail("headers", fmt::format("\"{}\" is set by the message itself", name));
    } else if (has(name)) {
      reader.Fail("headers", fmt::format("header \"{}\" stands twice", name));
    }
    email.headers.emplace_back(name, std::move(value));
  }
  const auto add = [&](const char* name, const std::string& value) {
    if (!has(name)) email.headers.emplace_back(name, value);
  };
  add("Subject", "{{ template \"email.default.subject\" . }}");
  add("To", email.to);
  add("From", email.from);
  std::sort(email.headers.begin(), email.headers.end());
}

void ReadLogin(ConfigReader& reader, const SmtpDefaults& global, FileSystem& files,
               EmailConfig& email) {
  email.auth_username = reader.String("auth_username", global.auth_username);
  email.auth_password = reader.SecretValue("auth_password", files);
  if (email.auth_password.empty()) email.auth_password = global.auth_password;
  email.auth_secret = reader.SecretValue("auth_secret", files);
  if (email.auth_secret.empty()) email.auth_secret = global.auth_secret;
  email.auth_identity = reader.String("auth_identity", global.auth_identity);
  if (!email.auth_username.empty() && email.auth_password.empty() && email.auth_secret.empty()) {
    reader.Fail("auth_username",
                "a user needs \"auth_password\" (PLAIN, LOGIN) or \"auth_secret\" (CRAM-MD5)");
  }
  for (const auto& [key, text] : {std::pair("auth_username", email.auth_username),
                                  std::pair("auth_identity", email.auth_identity),
                                  std::pair("auth_password", email.auth_password.Reveal()),
                                  std::pair("auth_secret", email.auth_secret.Reveal())}) {
    if (HasLineBreak(text)) reader.Fail(key, "must not contain a line break");
  }
}

}  // namespace

EmailConfig DefaultEmailConfig() {
  EmailConfig email;
  email.html = "{{ template \"email.default.html\" . }}";
  email.text = "{{ template \"email.default.text\" . }}";
  return email;
}

void ReadSmtpDefaults(ConfigReader& global, FileSystem& files, SmtpDefaults& smtp) {
  smtp.from = global.String("smtp_from");
  smtp.smarthost = global.String("smtp_smarthost");
  smtp.hello = global.String("smtp_hello", smtp.hello);
  smtp.auth_username = global.String("smtp_auth_username");
  smtp.auth_password = global.SecretValue("smtp_auth_password", files);
  smtp.auth_secret = global.SecretValue("smtp_auth_secret", files);
  smtp.auth_identity = global.String("smtp_auth_identity");
  smtp.require_tls = global.Bool("smtp_require_tls", smtp.require_tls);
  smtp.tls = ReadTls(global.Map("smtp_tls_config"), files);
}

EmailConfig ReadEmail(ConfigReader& reader, const GlobalDefaults& global, FileSystem& files) {
  const SmtpDefaults& smtp = global.smtp;
  EmailConfig email = DefaultEmailConfig();
  email.to = reader.RequiredString("to");
  CheckAddresses(reader, "to", email.to, std::numeric_limits<std::size_t>::max());
  email.from = reader.String("from", smtp.from);
  if (email.from.empty()) {
    reader.Fail("from", "no sender: set \"from\" here or \"smtp_from\" in global");
  }
  CheckAddresses(reader, "from", email.from, 1);
  const std::string smarthost = reader.String("smarthost", smtp.smarthost);
  if (smarthost.empty()) {
    reader.Fail("smarthost",
                "no mail server: set \"smarthost\" here or \"smtp_smarthost\" in global");
  } else {
    ReadSmarthost(reader, smarthost, email);
  }
  email.hello = reader.String("hello", smtp.hello);
  if (email.hello.empty() || email.hello.find_first_of(" \t\r\n") != email.hello.npos) {
    reader.Fail("hello", "must be a host's name");
  }
  ReadLogin(reader, smtp, files, email);
  email.require_tls = reader.Bool("require_tls", smtp.require_tls);
  email.tls = reader.Has("tls_config") ? ReadTls(reader.Map("tls_config"), files) : smtp.tls;
  email.html = reader.String("html", email.html);
  email.text = reader.String("text", email.text);
  ReadHeaders(reader, email);
  return email;
}

}  // namespace tocsin::notify
