// Slack: an incoming webhook, or chat.postMessage with a bot's token.
// https://api.slack.com/messaging/webhooks, https://api.slack.com/docs/rate-limits

#include <nlohmann/json.hpp>

#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxTitleRunes = 1024;
constexpr std::size_t kMaxTextRunes = 8000;      // Of an attachment; Slack cuts there.
constexpr std::size_t kMaxMessageRunes = 40000;  // Of the message's own text.
constexpr std::size_t kMaxFieldRunes = 2000;

class SlackReceiver : public Receiver {
 public:
  SlackReceiver(const SlackConfig& settings, const HttpOptions& http,
                std::shared_ptr<const Templates> templates)
      : settings_(settings), http_(http), templates_(std::move(templates)) {
    if (settings_.app_token.empty()) return;
    http_.authorization_type = "Bearer";
    http_.authorization = settings_.app_token;
  }

  std::shared_ptr<const Receiver> Renewed(FileSystem& files) const override {
    auto renewed = std::make_shared<SlackReceiver>(*this);
    renewed->settings_.api_url.Renew(files);
    renewed->settings_.app_token.Renew(files);
    RenewCredentials(renewed->http_, files);
    return renewed;
  }

  EncodedMessage Encode(const Notification& notification, const Occasion& occasion) const override {
    TextExpander text(*templates_, notification, occasion.now);
    ordered_json body;
    AddUnlessEmpty(body, "channel", text.Expand(settings_.channel));
    AddUnlessEmpty(body, "username", text.Expand(settings_.username));
    AddUnlessEmpty(body, "icon_emoji", text.Expand(settings_.icon_emoji));
    AddUnlessEmpty(body, "icon_url", text.Expand(settings_.icon_url));
    if (settings_.link_names) body["link_names"] = true;
    AddUnlessEmpty(body, "text", text.Expand(settings_.message_text, kMaxMessageRunes, "text"));
    ordered_json attachment;
    AddUnlessEmpty(attachment, "title", text.Expand(settings_.title, kMaxTitleRunes, "title"));
    AddUnlessEmpty(attachment, "title_link", text.Expand(settings_.title_link));
    AddUnlessEmpty(attachment, "pretext", text.Expand(settings_.pretext, kMaxTextRunes, "pretext"));
    attachment["text"] = text.Expand(settings_.text, kMaxTextRunes, "text");
    attachment["fallback"] = text.Expand(settings_.fallback, kMaxMessageRunes, "fallback");
    attachment["callback_id"] = text.Expand(settings_.callback_id);
    AddFields(text, attachment);
    AddActions(text, attachment);
    AddUnlessEmpty(attachment, "image_url", text.Expand(settings_.image_url));
    AddUnlessEmpty(attachment, "thumb_url", text.Expand(settings_.thumb_url));
    attachment["footer"] = text.Expand(settings_.footer);
    AddUnlessEmpty(attachment, "color", text.Expand(settings_.color));
    if (!settings_.mrkdwn_in.empty()) attachment["mrkdwn_in"] = settings_.mrkdwn_in;
    body["attachments"] = ordered_json::array({std::move(attachment)});
    const std::string json = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return {JsonPost(Url(), json, http_), text.notes(), {}};
  }

  AnswerRules answer_rules() const override {
    if (!settings_.app_token.empty()) return {{}, true};
    return {{"ok", ""}, false};
  }

  // About one message a second, with short bursts.
  ChannelRate rate() const override { return {1, 5}; }
  std::string ChannelKey() const override {
    return "slack " + Url() + " " + settings_.app_token.Reveal() +
           (settings_.app_token.empty() ? "" : " " + settings_.channel);
  }
  std::vector<std::string> Secrets() const override {
    return {settings_.api_url.Reveal(), settings_.app_token.Reveal(),
            http_.basic_auth_password.Reveal(), http_.authorization.Reveal()};
  }

  std::vector<std::string> TemplateTexts() const override {
    std::vector<std::string> texts = {
        settings_.channel,    settings_.username, settings_.color,       settings_.title,
        settings_.title_link, settings_.pretext,  settings_.text,        settings_.fallback,
        settings_.icon_emoji, settings_.icon_url, settings_.callback_id, settings_.image_url,
        settings_.thumb_url,  settings_.footer,   settings_.message_text};
    for (const SlackField& field : settings_.fields) {
      texts.insert(texts.end(), {field.title, field.value});
    }
    for (const SlackAction& action : settings_.actions) {
      texts.insert(texts.end(),
                   {action.type, action.text, action.url, action.style, action.name, action.value});
      if (!action.confirm) continue;
      texts.insert(texts.end(), {action.confirm->title, action.confirm->text,
                                 action.confirm->ok_text, action.confirm->dismiss_text});
    }
    return texts;
  }

 private:
  std::string Url() const {
    return settings_.app_token.empty() ? settings_.api_url.Reveal() : settings_.app_url;
  }

  static void AddUnlessEmpty(ordered_json& into, const char* key, std::string value) {
    if (!value.empty()) into[key] = std::move(value);
  }

  void AddFields(TextExpander& text, ordered_json& attachment) const {
    for (const SlackField& field : settings_.fields) {
      ordered_json entry;
      AddUnlessEmpty(entry, "title", text.Expand(field.title));
      AddUnlessEmpty(entry, "value", text.Expand(field.value, kMaxFieldRunes, "field"));
      entry["short"] = field.is_short.value_or(settings_.short_fields);
      attachment["fields"].push_back(std::move(entry));
    }
  }

  void AddActions(TextExpander& text, ordered_json& attachment) const {
    for (const SlackAction& action : settings_.actions) {
      ordered_json entry = ordered_json::object();
      AddUnlessEmpty(entry, "type", text.Expand(action.type));
      AddUnlessEmpty(entry, "text", text.Expand(action.text));
      AddUnlessEmpty(entry, "url", text.Expand(action.url));
      AddUnlessEmpty(entry, "style", text.Expand(action.style));
      AddUnlessEmpty(entry, "name", text.Expand(action.name));
      AddUnlessEmpty(entry, "value", text.Expand(action.value));
      if (action.confirm) {
        ordered_json confirm = ordered_json::object();
        AddUnlessEmpty(confirm, "text", text.Expand(action.confirm->text));
        AddUnlessEmpty(confirm, "title", text.Expand(action.confirm->title));
        AddUnlessEmpty(confirm, "ok_text", text.Expand(action.confirm->ok_text));
        AddUnlessEmpty(confirm, "dismiss_text", text.Expand(action.confirm->dismiss_text));
        entry["confirm"] = std::move(confirm);
      }
      attachment["actions"].push_back(std::move(entry));
    }
  }

  SlackConfig settings_;
  HttpOptions http_;
  std::shared_ptr<const Templates> templates_;
};

}  // namespace

std::shared_ptr<const Receiver> MakeSlack(const SlackConfig& settings, const HttpOptions& http,
                                          std::shared_ptr<const Templates> templates) {
  return std::make_shared<SlackReceiver>(settings, http, std::move(templates));
}

}  // namespace tocsin::notify
