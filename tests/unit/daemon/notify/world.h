#pragma once

// A small world around a Notifier: virtual time, scripted receivers, a state.db
// in a folder of its own. Crash() is kill -9; Restart() is the next start.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/metrics.h"
#include "daemon/notify/matcher_text.h"
#include "daemon/notify/notifier.h"
#include "daemon/notify/receivers/receiver.h"
#include "daemon/notify/templates.h"
#include "tests/support/scripted_http_client.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"

namespace tocsin::notify {

using testing::ScriptedAnswer;

inline constexpr const char* kSlackUrl = "http://slack.test/T000/SECRETWEBHOOK";
inline constexpr const char* kPagerDutyUrl = "http://pagerduty.test/enqueue";
inline constexpr const char* kWebhookUrl = "http://webhook.test/hook";
inline constexpr const char* kRoutingKey = "0123456789abcdef0123456789abcdef";

class TempFolder {
 public:
  TempFolder() {
    // In memory where there is such a folder: two virtual hours sync thousands of times.
    const std::filesystem::path memory("/dev/shm");
    std::string pattern =
        ((std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path()) /
         "notify-XXXXXX")
            .string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A configuration from Alertmanager's YAML; a broken one fails the test.
inline std::shared_ptr<const NotifyConfig> Config(const std::string& yaml) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root =
      ConfigNode::Parse(yaml, "alertmanager.yml", ConfigNode::Expand::kNothing, errors);
  auto config = ParseAlertmanagerConfig(root, files, errors);
  EXPECT_TRUE(config) << errors.Text();
  return config;
}

inline std::shared_ptr<const NotifyConfig> ShortForm(const std::string& yaml) {
  ConfigErrors errors;
  PosixFileSystem files;
  const auto root = ConfigNode::Parse(yaml, "tocsin.yaml", ConfigNode::Expand::kNothing, errors);
  auto config = ParseShortForm(ConfigReader(root, errors), files);
  EXPECT_TRUE(config) << errors.Text();
  return config;
}

// What the first integration of the first receiver sends of `notification`.
inline EncodedMessage EncodeAsFirst(const NotifyConfig& config, const Notification& notification,
                                    const Occasion& occasion = {}) {
  const auto templates = Templates::Make(config, "http://tocsin.test").value();
  return MakeReceiver(config.receivers[0].integrations[0], templates)
      .value()
      ->Encode(notification, occasion);
}

// All three receivers behind one route; `route` and `rest` are YAML to add.
inline std::string AllReceivers(const std::string& route, const std::string& rest = {}) {
  return "route: {receiver: all, group_by: [alertname], group_wait: 10s, group_interval: 1m,"
         " repeat_interval: 4h" +
         (route.empty() ? "" : ", " + route) +
         "}\n"
         "receivers:\n"
         "- name: all\n"
         "  slack_configs: [{api_url: '" +
         std::string(kSlackUrl) +
         "', channel: '#db', send_resolved: true}]\n"
         "  pagerduty_configs: [{url: '" +
         std::string(kPagerDutyUrl) + "', routing_key: " + kRoutingKey +
         "}]\n"
         "  webhook_configs: [{url: '" +
         std::string(kWebhookUrl) + "'}]\n" + rest;
}

// What a receiver accepted, in words a person would use.
struct Message {
  std::int64_t at_ms = 0;  // Since the world began.
  std::string to;          // "slack", "pagerduty", "webhook".
  std::string status;      // "firing", "resolved".
  std::string text;        // The title, the summary, or the alertnames.
  nlohmann::json body;
};

class World {
 public:
  // With `disk_vfs`, state.db lies on that disk (tests/support/fault_vfs.h).
  explicit World(std::shared_ptr<const NotifyConfig> config, std::uint64_t seed = 1,
                 std::string disk_vfs = {})
      : vfs(std::move(disk_vfs)), config_(std::move(config)), seed_(seed) {
    AnswerAll();
    Restart();
  }
  ~World() { Crash(); }

  void AnswerAll() {
    http->Answer("http://slack.test", {ScriptedAnswer::Status(200, "ok")});
    http->Answer("http://pagerduty.test", {ScriptedAnswer::Status(202, "{}")});
    http->Answer("http://webhook.test", {ScriptedAnswer::Status(200)});
  }

  void Restart() {
    metrics = std::make_unique<MetricRegistry>();
    Notifier::Options options;
    options.database.path = database();
    options.database.vfs = vfs;
    options.external_url = external_url;
    options.seed = seed_++;
    options.max_silences = max_silences;
    auto opened = Notifier::Open(config_, options, clock, executors, *http, files, *metrics);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    notifier = *std::move(opened);
    notifier->Start();
  }
  // The configuration of the next start.
  void Configure(std::shared_ptr<const NotifyConfig> config) { config_ = std::move(config); }
  // The process dies: nothing more happens, nothing is written.
  void Crash() {
    http->Crash();
    executors.Crash();
    notifier.reset();
    executors.Crash();
  }

  std::string database() const {
    return vfs.empty() ? (folder.path() / "state.db").string() : "/var/lib/tocsin/state.db";
  }

  void Run(Millis span) { executors.RunFor(span); }

  model::Alert Firing(const model::Labels& labels, const std::string& summary = "it hurts") {
    model::Alert alert;
    alert.labels = labels;
    alert.annotations = {{"summary", summary}};
    alert.starts_at = Started(labels);
    alert.ends_at = clock.WallNow() + std::chrono::hours(1000);
    return alert;
  }
  model::Alert Resolved(const model::Labels& labels) {
    model::Alert alert = Firing(labels);
    alert.ends_at = clock.WallNow();
    started_.erase(labels);
    return alert;
  }
  void Fire(const model::Labels& labels) { Send({Firing(labels)}); }
  void Resolve(const model::Labels& labels) { Send({Resolved(labels)}); }
  void Send(std::vector<model::Alert> alerts) {
    const auto accepted = notifier->Accept(std::move(alerts));
    EXPECT_TRUE(accepted.ok()) << accepted.error().message;
  }

  std::string Mute(const std::string& matchers, Millis duration) {
    Silence silence;
    silence.matchers = ParseMatchers(matchers).value();
    silence.starts_at = clock.WallNow();
    silence.ends_at = clock.WallNow() + duration;
    silence.created_by = "test";
    auto id = notifier->SetSilence(silence);
    EXPECT_TRUE(id.ok());
    return id.ok() ? *id : "";
  }

  // Accepted messages, all or those to one receiver ("slack").
  std::vector<Message> Messages(const std::string& to = {}) const {
    std::vector<Message> messages;
    for (const auto& sent : http->requests()) {
      if (sent.answer.status / 100 != 2 || sent.answer.breaks || sent.answer.hangs) continue;
      Message message = Read(sent);
      if (to.empty() || message.to == to) messages.push_back(std::move(message));
    }
    return messages;
  }
  // One line per message: "10s slack firing: [FIRING:1] Down".
  std::vector<std::string> Lines(const std::string& to = {}) const {
    std::vector<std::string> lines;
    for (const Message& message : Messages(to)) {
      lines.push_back(std::to_string((message.at_ms + 500) / 1000) + "s " +
                      (to.empty() ? message.to + " " : "") + message.status + ": " + message.text);
    }
    return lines;
  }

  Message Read(const testing::ScriptedRequest& sent) const {
    Message message;
    message.at_ms = (sent.at - begin_).count();
    message.body = nlohmann::json::parse(sent.request.body, nullptr, false);
    if (sent.request.url.starts_with("http://slack.test")) {
      message.to = "slack";
      const auto& attachment = message.body["attachments"][0];
      message.text = attachment["title"];
      message.status = attachment["color"] == "good" ? "resolved" : "firing";
    } else if (sent.request.url.starts_with("http://pagerduty.test")) {
      message.to = "pagerduty";
      message.text = message.body["payload"]["summary"];
      message.status = message.body["event_action"] == "resolve" ? "resolved" : "firing";
    } else {
      message.to = "webhook";
      message.status = message.body["status"];
      for (const auto& alert : message.body["alerts"]) {
        if (!message.text.empty()) message.text += ", ";
        message.text += alert["labels"].value("alertname", "") +
                        alert["labels"].value("instance", "") + " " + std::string(alert["status"]);
      }
    }
    return message;
  }

  testing::SimClock clock;
  testing::SimExecutors executors{clock};
  std::unique_ptr<testing::ScriptedHttpClient> http =
      std::make_unique<testing::ScriptedHttpClient>(clock, executors);
  std::unique_ptr<MetricRegistry> metrics;
  PosixFileSystem files;
  TempFolder folder;
  std::string vfs;
  std::size_t max_silences = kMaxKeptSilences;  // From the next Restart() on.
  std::string external_url = "http://tocsin.test:9877";
  std::unique_ptr<Notifier> notifier;

 private:
  WallTime Started(const model::Labels& labels) {
    return started_.emplace(labels, clock.WallNow()).first->second;
  }

  std::shared_ptr<const NotifyConfig> config_;
  std::uint64_t seed_;
  const WallTime begin_ = clock.WallNow();
  std::map<model::Labels, WallTime> started_;
};

}  // namespace tocsin::notify
