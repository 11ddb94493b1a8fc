// PagerDuty's Events API v2.
// https://developer.pagerduty.com/docs/events-api-v2/overview/

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxSummaryRunes = 1024;
constexpr std::size_t kMaxEventBytes = 512'000;
constexpr std::string_view kDetailsRemoved =
    "Custom details have been removed because the original event exceeds the maximum size of "
    "512KB";

// The API knows four words and answers 400 to any other.
std::string KnownSeverity(std::string_view text) {
  struct Row {
    std::string_view word;
    std::string_view severity;
  };
  constexpr Row kRows[] = {
      {"critical", "critical"}, {"crit", "critical"},      {"fatal", "critical"},
      {"page", "critical"},     {"emergency", "critical"}, {"error", "error"},
      {"err", "error"},         {"major", "error"},        {"high", "error"},
      {"warning", "warning"},   {"warn", "warning"},       {"minor", "warning"},
      {"info", "info"},         {"information", "info"},   {"notice", "info"},
      {"low", "info"},          {"none", "info"},
  };
  std::string word(TrimSpace(text));
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& known) { return known.word == word; });
  return std::string(row == std::end(kRows) ? "error" : row->severity);
}

std::string Dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

class PagerDutyReceiver : public Receiver {
 public:
  PagerDutyReceiver(const PagerDutyConfig& settings, const HttpOptions& http,
                    std::shared_ptr<const Templates> templates)
      : settings_(settings), http_(http), templates_(std::move(templates)) {
    // As Go prints a map: by name.
    std::sort(settings_.details.begin(), settings_.details.end());
  }

  std::shared_ptr<const Receiver> Renewed(FileSystem& files) const override {
    auto renewed = std::make_shared<PagerDutyReceiver>(*this);
    renewed->settings_.routing_key.Renew(files);
    RenewCredentials(renewed->http_, files);
    return renewed;
  }

  EncodedMessage Encode(const Notification& notification, const Occasion& occasion) const override {
    TextExpander text(*templates_, notification, occasion.now);
    ordered_json event;
    event["routing_key"] = settings_.routing_key.Reveal();
    event["dedup_key"] = Sha256Hex(notification.group_key);
    event["event_action"] = notification.Firing() ? "trigger" : "resolve";
    event["payload"] = Payload(text);
    const auto add = [&](const char* key, const std::string& value) {
      std::string expanded = text.Expand(value);
      if (!expanded.empty()) event[key] = std::move(expanded);
    };
    add("client", settings_.client);
    add("client_url", settings_.client_url);
    AddImagesAndLinks(text, event);
    std::string body = Dump(event);
    if (body.size() > kMaxEventBytes) {
      event["payload"]["custom_details"] = {{"error", kDetailsRemoved}};
      text.AddNote("custom details removed: the event is larger than 512 KB");
      body = Dump(event);
    }
    return {JsonPost(settings_.url, std::move(body), http_), text.notes(), {}};
  }

  // 120 calls in any minute: a burst of 60, and 60 more in that minute.
  ChannelRate rate() const override { return {1, 60}; }
  std::string ChannelKey() const override {
    return "pagerduty " + settings_.url + " " + settings_.routing_key.Reveal();
  }
  std::vector<std::string> Secrets() const override {
    return {settings_.routing_key.Reveal(), http_.basic_auth_password.Reveal(),
            http_.authorization.Reveal()};
  }

  std::vector<std::string> TemplateTexts() const override {
    std::vector<std::string> texts = {
        settings_.client,   settings_.client_url, settings_.source, settings_.description,
        settings_.severity, settings_.component,  settings_.group,  settings_.event_class};
    for (const auto& [name, value] : settings_.details) texts.push_back(value);
    for (const PagerDutyImage& image : settings_.images) {
      texts.insert(texts.end(), {image.href, image.src, image.alt});
    }
    for (const PagerDutyLink& link : settings_.links) {
      texts.insert(texts.end(), {link.href, link.text});
    }
    return texts;
  }

 private:
  ordered_json Payload(TextExpander& text) const {
    ordered_json payload;
    // Both are required: an empty one would be refused.
    const auto or_else = [](std::string value, std::string_view fallback) {
      return TrimSpace(value).empty() ? std::string(fallback) : value;
    };
    payload["summary"] =
        or_else(text.Expand(settings_.description, kMaxSummaryRunes, "summary"), "alert");
    payload["source"] = or_else(text.Expand(settings_.source), "tocsin");
    payload["severity"] = KnownSeverity(text.Expand(settings_.severity));
    const auto add = [&](const char* key, const std::string& value) {
      std::string expanded = text.Expand(value);
      if (!expanded.empty()) payload[key] = std::move(expanded);
    };
    add("class", settings_.event_class);
    add("component", settings_.component);
    add("group", settings_.group);
    for (const auto& [name, value] : settings_.details) {
      payload["custom_details"][name] = text.Expand(value);
    }
    return payload;
  }

  void AddImagesAndLinks(TextExpander& text, ordered_json& event) const {
    for (const PagerDutyImage& image : settings_.images) {
      ordered_json entry;
      entry["src"] = text.Expand(image.src);
      entry["alt"] = text.Expand(image.alt);
      entry["href"] = text.Expand(image.href);
      if (entry["src"] != "") event["images"].push_back(std::move(entry));
    }
    for (const PagerDutyLink& link : settings_.links) {
      ordered_json entry;
      entry["href"] = text.Expand(link.href);
      entry["text"] = text.Expand(link.text);
      if (entry["href"] != "") event["links"].push_back(std::move(entry));
    }
  }

  PagerDutyConfig settings_;
  HttpOptions http_;
  std::shared_ptr<const Templates> templates_;
};

}  // namespace

std::shared_ptr<const Receiver> MakePagerDuty(const PagerDutyConfig& settings,
                                              const HttpOptions& http,
                                              std::shared_ptr<const Templates> templates) {
  return std::make_shared<PagerDutyReceiver>(settings, http, std::move(templates));
}

}  // namespace tocsin::notify
