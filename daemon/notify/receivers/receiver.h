#pragma once

// A receiver's integration: it turns a Notification into the request of one
// vendor, with the credential, at the moment of sending. Adding a kind is one file
// beside this and one row in kinds.cc; tests/unit/daemon/notify/receiver_obligations_test.cc
// is the suite that every kind must pass.
//
// Immutable; thread-safe. Internal.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/notify/notification.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/retry_policy.h"
#include "daemon/notify/templates.h"

namespace tocsin::notify {

// How fast a vendor's channel may be used: a token bucket.
struct ChannelRate {
  double per_second = 1;
  double burst = 1;
};

// What is known of a message besides its content.
struct Occasion {
  WallTime now{};
  WallTime created_at{};  // When it was decided to tell; of one delivery always the same.
  std::string integration;
  // Of a mail: the recipients that earlier attempts were answered for, for good or ill.
  std::vector<std::string> settled_recipients;
};

struct EncodedMessage {
  HttpRequest request;
  std::vector<std::string> notes;  // What was cut or did not expand; for the log.
  // Set: there is nobody it could be sent to, and why.
  std::optional<std::string> unsendable;
};

class Receiver {
 public:
  virtual ~Receiver() = default;

  // The same with what the files of its credentials hold now (see Secret::Renew): to be
  // asked for before each attempt.
  virtual std::shared_ptr<const Receiver> Renewed(FileSystem& files) const = 0;

  virtual EncodedMessage Encode(const Notification& notification,
                                const Occasion& occasion) const = 0;
  virtual AnswerRules answer_rules() const { return {}; }
  virtual ChannelRate rate() const = 0;

  // Integrations with the same key share the vendor's limit. Holds a credential:
  // never logged or stored.
  virtual std::string ChannelKey() const = 0;
  // What must not appear in an error, whatever the peer answers.
  virtual std::vector<std::string> Secrets() const = 0;
  // The texts that are templates.
  virtual std::vector<std::string> TemplateTexts() const = 0;
};

// The texts of `integration` that are templates.
std::vector<std::string> TemplateTexts(const IntegrationConfig& integration);

// Errors: kInvalidArgument: one of its texts does not parse as a template.
Result<std::shared_ptr<const Receiver>> MakeReceiver(const IntegrationConfig& integration,
                                                     std::shared_ptr<const Templates> templates);

// One per kind.
std::shared_ptr<const Receiver> MakeSlack(const SlackConfig& settings, const HttpOptions& http,
                                          std::shared_ptr<const Templates> templates);
std::shared_ptr<const Receiver> MakePagerDuty(const PagerDutyConfig& settings,
                                              const HttpOptions& http,
                                              std::shared_ptr<const Templates> templates);
std::shared_ptr<const Receiver> MakeWebhook(const WebhookConfig& settings, const HttpOptions& http,
                                            std::shared_ptr<const Templates> templates);
std::shared_ptr<const Receiver> MakeEmail(const EmailConfig& settings,
                                          std::shared_ptr<const Templates> templates);

void RenewCredentials(HttpOptions& http, FileSystem& files);

// A POST of JSON to `url` by these options.
HttpRequest JsonPost(std::string url, std::string body, const HttpOptions& http);

// `text` with every secret replaced by "<secret>".
std::string Redact(std::string text, const std::vector<std::string>& secrets);

}  // namespace tocsin::notify
