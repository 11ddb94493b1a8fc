#pragma once

// The texts of messages: Go templates over a Notification, with Alertmanager's
// data, functions and default templates, and the operator's own definitions over
// them. https://prometheus.io/docs/alerting/latest/notifications/
//
// Immutable; thread-safe. Internal.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/formats/go_template.h"
#include "daemon/notify/notification.h"
#include "daemon/notify/notify_config.h"

namespace tocsin::notify {

class Templates {
 public:
  // Errors: kInvalidArgument: one of the files does not parse (its path and Go's words).
  static Result<std::shared_ptr<const Templates>> Make(const NotifyConfig& config,
                                                       const std::string& external_url);

  // Whether `text` parses. Errors: kInvalidArgument.
  Result<> Check(const std::string& text) const;

  const std::string& external_url() const { return external_url_; }

 private:
  friend class TextExpander;
  Templates(formats::Template base, std::string external_url)
      : base_(std::move(base)), external_url_(std::move(external_url)) {}

  formats::Template base_;
  std::string external_url_;
};

// Expands the texts of one message. A text that fails does not keep the page from
// going out: it reads "<error expanding template: …>", and notes() says so.
// Not thread-safe; `templates` must outlive it.
class TextExpander {
 public:
  TextExpander(const Templates& templates, const Notification& notification, WallTime now);

  std::string Expand(const std::string& text);
  // The expanded text, cut to `limit` characters; a cut is noted.
  std::string Expand(const std::string& text, std::size_t limit_runes, std::string_view field);
  // `expanded`, cut in the same way.
  std::string Cut(const std::string& expanded, std::size_t limit_runes, std::string_view field);
  // For HTML: what the template prints of an alert is escaped. Nothing if it fails: the
  // words of the error would be a tag there that shows nothing.
  std::optional<std::string> ExpandHtml(const std::string& text);
  // The labels of the notification's route.
  const model::Labels& route_labels() const { return route_labels_; }
  const std::vector<std::string>& notes() const { return notes_; }
  void AddNote(std::string note) { notes_.push_back(std::move(note)); }

 private:
  // A failure is noted.
  Result<std::string> TryExpand(const std::string& text, formats::Escaping escaping);

  const Templates& templates_;
  model::Labels route_labels_;
  formats::GoValue data_;
  formats::GoFunctions functions_;
  std::vector<std::string> notes_;
};

}  // namespace tocsin::notify
