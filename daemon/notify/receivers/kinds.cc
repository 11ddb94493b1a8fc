#include <type_traits>

#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

constexpr std::size_t kShortestSecret = 4;  // Below that, hiding would garble every text.
constexpr std::int64_t kMaxAnswerBytes = 64 * 1024;

// The table: settings to receiver.
std::shared_ptr<const Receiver> Make(const SlackConfig& settings, const HttpOptions& http,
                                     std::shared_ptr<const Templates> templates) {
  return MakeSlack(settings, http, std::move(templates));
}
std::shared_ptr<const Receiver> Make(const PagerDutyConfig& settings, const HttpOptions& http,
                                     std::shared_ptr<const Templates> templates) {
  return MakePagerDuty(settings, http, std::move(templates));
}
std::shared_ptr<const Receiver> Make(const WebhookConfig& settings, const HttpOptions& http,
                                     std::shared_ptr<const Templates> templates) {
  return MakeWebhook(settings, http, std::move(templates));
}
std::shared_ptr<const Receiver> Make(const EmailConfig& settings, const HttpOptions& /*http*/,
                                     std::shared_ptr<const Templates> templates) {
  return MakeEmail(settings, std::move(templates));
}

std::shared_ptr<const Receiver> Make(const IntegrationConfig& integration,
                                     const std::shared_ptr<const Templates>& templates) {
  return std::visit(
      [&](const auto& settings) { return Make(settings, integration.http, templates); },
      integration.settings);
}

}  // namespace

std::vector<std::string> TemplateTexts(const IntegrationConfig& integration) {
  return Make(integration, nullptr)->TemplateTexts();
}

Result<std::shared_ptr<const Receiver>> MakeReceiver(const IntegrationConfig& integration,
                                                     std::shared_ptr<const Templates> templates) {
  auto receiver = Make(integration, templates);
  for (const std::string& text : receiver->TemplateTexts()) {
    if (auto checked = templates->Check(text); !checked.ok()) {
      return checked.error().WithContext("receiver " + integration.id);
    }
  }
  return receiver;
}

void RenewCredentials(HttpOptions& http, FileSystem& files) {
  http.basic_auth_password.Renew(files);
  http.authorization.Renew(files);
}

HttpRequest JsonPost(std::string url, std::string body, const HttpOptions& http) {
  HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  request.basic_auth_user = http.basic_auth_user;
  request.basic_auth_password = http.basic_auth_password;
  request.authorization_type = http.authorization_type;
  request.authorization = http.authorization;
  request.tls = http.tls;
  request.proxy_url = http.proxy_url;
  request.follow_redirects = http.follow_redirects;
  request.max_body_bytes = kMaxAnswerBytes;
  return request;
}

std::string Redact(std::string text, const std::vector<std::string>& secrets) {
  constexpr std::string_view kHidden = "<secret>";
  for (const std::string& secret : secrets) {
    if (secret.size() < kShortestSecret) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + kHidden.size())) {
      text.replace(at, secret.size(), kHidden);
    }
  }
  return text;
}

}  // namespace tocsin::notify
