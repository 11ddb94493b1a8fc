// Alertmanager's webhook, version 4.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config

#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

using nlohmann::ordered_json;

ordered_json ToJson(const model::Labels& labels) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : labels) object[std::string(name)] = value;
  return object;
}

// RFC 3339 as Go prints it: a fraction without zeros at its end, none if it is zero.
std::string GoTime(WallTime time) {
  std::string text = FormatTime(time);
  text.pop_back();  // "Z"
  while (text.back() == '0' && text.find('.') != std::string::npos) text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + "Z";
}

ordered_json AlertJson(const NotifiedAlert& alert) {
  ordered_json json;
  json["status"] = alert.resolved ? "resolved" : "firing";
  json["labels"] = ToJson(alert.labels);
  json["annotations"] = ToJson(alert.annotations);
  json["startsAt"] = GoTime(alert.starts_at);
  json["endsAt"] = alert.resolved ? GoTime(alert.ends_at) : "0001-01-01T00:00:00Z";
  json["generatorURL"] = alert.generator_url;
  json["fingerprint"] = model::FingerprintText(alert.labels.Fingerprint());
  return json;
}

class WebhookReceiver : public Receiver {
 public:
  WebhookReceiver(const WebhookConfig& settings, const HttpOptions& http,
                  std::shared_ptr<const Templates> templates)
      : settings_(settings), http_(http), templates_(std::move(templates)) {}

  std::shared_ptr<const Receiver> Renewed(FileSystem& files) const override {
    auto renewed = std::make_shared<WebhookReceiver>(*this);
    renewed->settings_.url.Renew(files);
    RenewCredentials(renewed->http_, files);
    return renewed;
  }

  EncodedMessage Encode(const Notification& notification, const Occasion& occasion) const override {
    EncodedMessage message;
    const std::size_t all = notification.alerts.size();
    const auto limit = static_cast<std::size_t>(settings_.max_alerts);
    const std::size_t shown = limit == 0 ? all : std::min(limit, all);
    ordered_json body;
    body["receiver"] = notification.receiver;
    body["status"] = notification.Status();
    body["alerts"] = ordered_json::array();
    for (std::size_t i = 0; i < shown; ++i) {
      body["alerts"].push_back(AlertJson(notification.alerts[i]));
    }
    body["groupLabels"] = ToJson(notification.group_labels);
    body["commonLabels"] = ToJson(notification.CommonLabels());
    body["commonAnnotations"] = ToJson(notification.CommonAnnotations());
    if (!notification.route_labels.empty()) {
      const TextExpander text(*templates_, notification, occasion.now);
      body["routeLabels"] = ToJson(text.route_labels());
      message.notes = text.notes();
    }
    body["externalURL"] = templates_->external_url();
    body["version"] = "4";
    body["groupKey"] = notification.group_key;
    body["truncatedAlerts"] = all - shown;
    message.request =
        JsonPost(settings_.url.Reveal(),
                 body.dump(-1, ' ', false, ordered_json::error_handler_t::replace), http_);
    if (shown < all) message.notes.push_back("alerts left out because of max_alerts");
    return message;
  }

  ChannelRate rate() const override { return {100, 100}; }
  std::string ChannelKey() const override { return "webhook " + settings_.url.Reveal(); }
  std::vector<std::string> Secrets() const override {
    return {settings_.url.Reveal(), http_.basic_auth_password.Reveal(),
            http_.authorization.Reveal()};
  }
  std::vector<std::string> TemplateTexts() const override { return {}; }

 private:
  WebhookConfig settings_;
  HttpOptions http_;
  std::shared_ptr<const Templates> templates_;
};

}  // namespace

std::shared_ptr<const Receiver> MakeWebhook(const WebhookConfig& settings, const HttpOptions& http,
                                            std::shared_ptr<const Templates> templates) {
  return std::make_shared<WebhookReceiver>(settings, http, std::move(templates));
}

}  // namespace tocsin::notify
