// /api/v1/explain?alert=…: everything there is to say about an alert, from the rule's
// last result to each attempt to tell somebody. Ours alone; `tocsin explain` shows it.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/base/text.h"
#include "daemon/notify/matcher_text.h"

namespace tocsin::api {
namespace {

using nlohmann::ordered_json;

// Alerts in one answer: each costs a look at everything that notify knows.
constexpr std::size_t kMaxExplained = 100;

// What the parameter asks for.
struct Question {
  std::optional<std::string> fingerprint;
  std::vector<model::Matcher> matchers;

  bool Means(const model::Labels& labels) const {
    if (fingerprint) return model::FingerprintText(labels.Fingerprint()) == *fingerprint;
    return model::MatchesAll(matchers, labels);
  }
  // Whether it names this rule, whatever else it asks of the alert.
  bool MeansRule(const std::string& name) const {
    bool named = false;
    for (const model::Matcher& matcher : matchers) {
      if (matcher.name() != model::kAlertName) continue;
      if (!matcher.Matches(name)) return false;
      named = true;
    }
    return named;
  }
};

Result<Question> ReadQuestion(const std::string& text) {
  Question question;
  if (TrimSpace(text).empty()) {
    return Error{ErrorCode::kInvalidArgument, "name an alert, a fingerprint or matchers"};
  }
  const bool hex = text.size() == 16 && text.find_first_not_of("0123456789abcdef") == text.npos;
  if (hex) {
    question.fingerprint = text;
    return question;
  }
  if (text.find_first_of("=!~{") != text.npos) {
    TOCSIN_ASSIGN_OR_RETURN(question.matchers, notify::ParseMatchers(text));
  } else {
    TOCSIN_ASSIGN_OR_RETURN(
        auto matcher,
        model::Matcher::Make(model::MatchOp::kEqual, std::string(model::kAlertName), text));
    question.matchers.push_back(std::move(matcher));
  }
  if (question.matchers.empty()) {
    return Error{ErrorCode::kInvalidArgument, "name an alert, a fingerprint or matchers"};
  }
  return question;
}

ordered_json Time(WallTime time) { return FormatTime(time); }
ordered_json Time(const std::optional<WallTime>& time) {
  return time ? ordered_json(FormatTime(*time)) : ordered_json();
}
ordered_json TimeUnlessNone(WallTime time) {
  return time == WallTime() ? ordered_json() : Time(time);
}

ordered_json Object(const model::Labels& labels) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : labels) object[std::string(name)] = std::string(value);
  return object;
}

ordered_json RuleJson(const rules::GroupStatus& group, const rules::RuleStatus& rule) {
  return {{"name", rule.name},
          {"group", group.name},
          {"file", group.file},
          {"query", rule.query},
          {"for", FormatDuration(rule.for_duration)},
          {"keepFiringFor", FormatDuration(rule.keep_firing_for)},
          {"interval", FormatDuration(group.interval)},
          {"state", rule.state ? rules::AlertStateName(*rule.state) : "unknown"},
          {"health", rules::RuleHealthName(rule.health)},
          {"lastError", rule.last_error},
          {"lastEvaluation", Time(rule.last_evaluation)}};
}

ordered_json AlertOfRuleJson(const rules::GroupStatus& group, const rules::RuleStatus& rule,
                             const rules::AlertStatus& alert) {
  ordered_json json = RuleJson(group, rule);
  json["state"] = rules::AlertStateName(alert.state);
  json["value"] = FormatDouble(alert.value);
  json["activeAt"] = Time(alert.active_at);
  json["firedAt"] = Time(alert.fired_at);
  json["keepFiringSince"] = Time(alert.keep_firing_since);
  json["heldSince"] = Time(alert.held_since);
  json["holdReason"] = alert.hold_reason;
  return json;
}

ordered_json AttemptJson(const notify::DeliveryAttempt& attempt) {
  return {{"delivery", attempt.delivery},
          {"integration", attempt.integration},
          {"group", attempt.group_key},
          {"at", Time(attempt.at)},
          {"tells", attempt.resolves ? "resolved" : "firing"},
          {"outcome", attempt.delivered  ? "delivered"
                      : attempt.given_up ? "refused"
                                         : "to be tried again"},
          {"error", attempt.error}};
}

ordered_json DeliveryJson(const notify::DeliveryStatus& status) {
  ordered_json json{{"receiver", status.receiver},
                    {"integration", status.integration},
                    {"group", status.group_key},
                    {"routed", status.routed}};
  if (status.routed) {
    json["groupWait"] = FormatDuration(status.group_wait);
    json["groupInterval"] = FormatDuration(status.group_interval);
    json["repeatInterval"] = FormatDuration(status.repeat_interval);
  }
  json["nextFlush"] = Time(status.next_flush);
  json["told"] = status.told;
  json["queued"] = status.queued;
  json["lastNotification"] = TimeUnlessNone(status.told_at);
  json["lastReason"] =
      status.told_at == WallTime() ? "" : std::string(notify::ReasonName(status.last_reason));
  json["verdict"] = notify::ReasonName(status.verdict);
  json["sends"] = notify::IsNotification(status.verdict);
  json["quiet"] = notify::QuietName(status.quiet);
  json["waiting"] = ordered_json::array();
  for (const notify::PendingDelivery& waiting : status.pending) {
    json["waiting"].push_back({{"delivery", waiting.id},
                               {"tells", waiting.resolves ? "resolved" : "firing"},
                               {"inFlight", waiting.in_flight},
                               {"attempts", waiting.attempts},
                               {"lastError", waiting.last_error},
                               {"createdAt", Time(waiting.created_at)},
                               {"nextAttempt", Time(waiting.next_attempt_at)},
                               {"expiresAt", Time(waiting.expires_at)}});
  }
  json["attempts"] = ordered_json::array();
  for (const auto& attempt : status.attempts) json["attempts"].push_back(AttemptJson(attempt));
  return json;
}

ordered_json NotifyJson(const notify::Notifier& notifier, const notify::AlertStatus& status,
                        const std::map<std::string, model::Labels>& labels_of) {
  ordered_json json{
      {"startsAt", Time(status.alert.starts_at)},      {"endsAt", Time(status.alert.ends_at)},
      {"updatedAt", Time(status.alert.updated_at)},    {"ended", status.resolved},
      {"state", notify::AlertStateName(status.state)}, {"silencedBy", ordered_json::array()},
      {"inhibitedBy", ordered_json::array()},          {"mutedBy", status.muted_by}};
  for (const std::string& id : status.silenced_by) {
    const auto silence = notifier.FindSilence(id);
    if (!silence) continue;
    json["silencedBy"].push_back({{"id", id},
                                  {"matchers", notify::MatchersText(silence->matchers)},
                                  {"createdBy", silence->created_by},
                                  {"comment", silence->comment},
                                  {"endsAt", Time(silence->ends_at)}});
  }
  for (const std::string& fingerprint : status.inhibited_by) {
    const auto source = labels_of.find(fingerprint);
    json["inhibitedBy"].push_back(
        {{"fingerprint", fingerprint},
         {"labels", Object(source == labels_of.end() ? model::Labels() : source->second)}});
  }
  return json;
}

// One alert, by its labels as notify has them.
struct Explained {
  ordered_json rule;  // Null: no rule of ours has it now.
  const notify::AlertStatus* status = nullptr;
};

}  // namespace

Response AnswerExplain(const Context& context, const Request& request) {
  const auto question = ReadQuestion(request.Param("alert").value_or(""));
  if (!question.ok()) return InvalidParameter("alert", question.error().message);
  const model::Labels external = context.external_labels();
  std::map<model::Labels, Explained> found;
  ordered_json idle = ordered_json::array();
  for (const rules::GroupStatus& group : context.rules.Groups()) {
    for (const rules::RuleStatus& rule : group.rules) {
      if (rule.kind != rules::Rule::Kind::kAlert) continue;
      bool has_it = false;
      for (const rules::AlertStatus& alert : rule.alerts) {
        const model::Labels sent = external.Overlay(alert.labels);
        if (!question->Means(sent)) continue;
        found[sent].rule = AlertOfRuleJson(group, rule, alert);
        has_it = true;
      }
      if (!has_it && question->MeansRule(rule.name)) idle.push_back(RuleJson(group, rule));
    }
  }
  const std::vector<notify::AlertStatus> known = context.notifier.KnownAlerts();
  std::map<std::string, model::Labels> labels_of;
  for (const notify::AlertStatus& status : known) {
    labels_of.emplace(model::FingerprintText(status.fingerprint), status.alert.labels);
    if (question->Means(status.alert.labels)) found[status.alert.labels].status = &status;
  }
  ordered_json data{{"alerts", ordered_json::array()}, {"idleRules", std::move(idle)}};
  if (found.size() > kMaxExplained) data["leftOut"] = found.size() - kMaxExplained;
  for (const auto& [labels, explained] : found) {
    if (data["alerts"].size() == kMaxExplained) break;
    ordered_json alert{{"fingerprint", model::FingerprintText(labels.Fingerprint())},
                       {"labels", Object(labels)},
                       {"rule", explained.rule},
                       {"notify", nullptr},
                       {"deliveries", ordered_json::array()}};
    if (explained.status) {
      alert["notify"] = NotifyJson(context.notifier, *explained.status, labels_of);
    }
    for (const auto& status : context.notifier.Explain(labels.Fingerprint())) {
      alert["deliveries"].push_back(DeliveryJson(status));
    }
    data["alerts"].push_back(std::move(alert));
  }
  // Attempts are remembered since the start only.
  data["attemptsSince"] = Time(context.started_at);
  // Of those that notify has forgotten: their end was told.
  data["past"] = ordered_json::array();
  for (const notify::DeliveryAttempt& attempt : context.notifier.Attempts()) {
    for (const model::Labels& labels : attempt.alerts) {
      if (!question->Means(labels) || found.count(labels)) continue;
      ordered_json past = AttemptJson(attempt);
      past["labels"] = Object(labels);
      data["past"].push_back(std::move(past));
    }
  }
  return Success(data.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace tocsin::api
