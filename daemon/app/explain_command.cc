// `tocsin explain ALERT`: why somebody was, or was not, told.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/api_client.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/text.h"
#include "daemon/model/labels.h"

namespace tocsin::app {
namespace {

using nlohmann::ordered_json;

struct ExplainOptions {
  DaemonAddress daemon;
  std::string alert;
  bool as_json = false;
};

std::string Text(const ordered_json& object, const char* name) {
  const auto& value = object.at(name);
  return value.is_string() ? value.get<std::string>() : "";
}

std::string LabelsText(const ordered_json& labels) {
  std::string text;
  for (const auto& [name, value] : labels.items()) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name,
                        model::QuoteLabelValue(value.get<std::string>()));
  }
  return "{" + text + "}";
}

// "2026-11-23T06:36:09.666Z (12m ago)", or "(in 30s)".
std::string Moment(const ordered_json& object, const char* name) {
  const std::string text = Text(object, name);
  const auto time = ParseTime(text);
  if (!time.ok()) return text.empty() ? "never" : text;
  const auto away =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().WallNow() - *time);
  const std::string span = FormatDuration(away < away.zero() ? -away : away);
  return text + (away < away.zero() ? " (in " + span + ")" : " (" + span + " ago)");
}

// One line under a heading of its own; what is empty is left out.
void Line(std::string_view heading, const std::string& text) {
  if (!text.empty()) std::cout << fmt::format("  {:<10} {}\n", heading, text);
}

void PrintRule(const ordered_json& rule) {
  Line("rule", fmt::format("\"{}\" of group \"{}\" ({})", Text(rule, "name"), Text(rule, "group"),
                           Text(rule, "file")));
  Line("", Text(rule, "query"));
  Line("evaluated",
       fmt::format("{}, every {}", Moment(rule, "lastEvaluation"), Text(rule, "interval")));
  if (Text(rule, "health") == "err") Line("", "failed: " + Text(rule, "lastError"));
}

void PrintAlertOfRule(const ordered_json& rule) {
  if (rule.is_null()) {
    Line("rule", "none of this daemon has it now: it has ended, or somebody else sends it");
    return;
  }
  PrintRule(rule);
  const bool firing = Text(rule, "state") == "firing";
  Line("result", fmt::format("{}, value {}, since {}", Text(rule, "state"), Text(rule, "value"),
                             Moment(rule, "activeAt")));
  if (firing) Line("", "firing since " + Moment(rule, "firedAt"));
  if (!firing && Text(rule, "for") != "0s") Line("", "fires after " + Text(rule, "for"));
  if (!rule.at("keepFiringSince").is_null()) {
    Line("", fmt::format("its condition has ended, {}; kept firing for {}",
                         Moment(rule, "keepFiringSince"), Text(rule, "keepFiringFor")));
  }
  if (!Text(rule, "holdReason").empty()) {
    Line("held", fmt::format("{}, since {}", Text(rule, "holdReason"), Moment(rule, "heldSince")));
  }
}

void PrintNotify(const ordered_json& notify) {
  if (notify.is_null()) {
    Line("notify", "does not know it: nobody is told");
    return;
  }
  const bool ended = notify.at("ended").get<bool>();
  Line("notify",
       fmt::format("{}, {} {}", ended ? "ended" : Text(notify, "state"),
                   ended ? "at" : "firing since", Moment(notify, ended ? "endsAt" : "startsAt")));
  for (const ordered_json& silence : notify.at("silencedBy")) {
    Line("silenced", fmt::format("by {} until {}, {}: {} (silence {})", Text(silence, "matchers"),
                                 Moment(silence, "endsAt"), Text(silence, "createdBy"),
                                 Text(silence, "comment"), Text(silence, "id")));
  }
  for (const ordered_json& source : notify.at("inhibitedBy")) {
    Line("inhibited", "by " + LabelsText(source.at("labels")));
  }
  for (const ordered_json& name : notify.at("mutedBy")) {
    Line("muted", "by the time interval " + name.get<std::string>());
  }
}

void PrintAttempt(const ordered_json& attempt) {
  const std::string error = Text(attempt, "error");
  Line("attempt", fmt::format("{}, {}: {}{}", Moment(attempt, "at"), Text(attempt, "tells"),
                              Text(attempt, "outcome"), error.empty() ? "" : ", " + error));
}

void PrintDelivery(const ordered_json& delivery, const std::string& attempts_since) {
  std::cout << "  -> " << Text(delivery, "integration") << "\n";
  Line("route", Text(delivery, "group"));
  if (delivery.at("routed").get<bool>()) {
    Line("timers", fmt::format("waits {}, then every {}, repeats after {}; looks next {}",
                               Text(delivery, "groupWait"), Text(delivery, "groupInterval"),
                               Text(delivery, "repeatInterval"), Moment(delivery, "nextFlush")));
  } else {
    Line("timers", "its route is gone: only the end is told");
  }
  const bool told = delivery.at("told").get<bool>();
  const bool queued = delivery.at("queued").get<bool>();
  Line("told", told ? "yes, it is open there" : queued ? "not yet, it waits" : "no");
  if (!Text(delivery, "lastReason").empty()) {
    Line("", fmt::format("the group last {}: {}", Moment(delivery, "lastNotification"),
                         Text(delivery, "lastReason")));
  }
  const std::string quiet = Text(delivery, "quiet");
  Line("now",
       fmt::format("{}: {}{}", delivery.at("sends").get<bool>() ? "would tell" : "would not tell",
                   Text(delivery, "verdict"), quiet == "none" ? "" : "; " + quiet));
  for (const ordered_json& waiting : delivery.at("waiting")) {
    const std::string error = Text(waiting, "lastError");
    Line("waiting", fmt::format("{} since {}, {} attempts, next {}{}", Text(waiting, "tells"),
                                Moment(waiting, "createdAt"), waiting.at("attempts").get<int>(),
                                waiting.at("inFlight").get<bool>() ? "under way"
                                                                   : Moment(waiting, "nextAttempt"),
                                error.empty() ? "" : ": " + error));
  }
  for (const ordered_json& attempt : delivery.at("attempts")) PrintAttempt(attempt);
  if (told && delivery.at("attempts").empty()) {
    Line("attempt", "none since the daemon's start, " + attempts_since);
  }
}

void Print(const ordered_json& data) {
  for (const ordered_json& alert : data.at("alerts")) {
    std::cout << LabelsText(alert.at("labels")) << "  " << Text(alert, "fingerprint") << "\n";
    PrintAlertOfRule(alert.at("rule"));
    PrintNotify(alert.at("notify"));
    for (const ordered_json& delivery : alert.at("deliveries")) {
      PrintDelivery(delivery, Moment(data, "attemptsSince"));
    }
    std::cout << "\n";
  }
  if (data.contains("leftOut")) {
    std::cout << fmt::format("{} more alerts match: ask for fewer\n",
                             data["leftOut"].get<std::size_t>());
  }
  for (const ordered_json& rule : data.at("idleRules")) {
    std::cout << Text(rule, "name") << "\n";
    PrintRule(rule);
    Line("result", "no such alert: its condition holds for nothing of the kind");
    std::cout << "\n";
  }
  if (data.at("past").empty()) return;
  std::cout << "told before\n";
  for (const ordered_json& attempt : data.at("past")) {
    std::cout << "  " << LabelsText(attempt.at("labels")) << " -> " << Text(attempt, "integration")
              << "\n";
    PrintAttempt(attempt);
  }
}

int Explain(const ExplainOptions& options) {
  const auto fail = [](const std::string& message) {
    std::cerr << "tocsin: " << message << "\n";
    return kExitFindings;
  };
  const auto body = AskDaemon(options.daemon, "/api/v1/explain", {{"alert", options.alert}});
  if (!body.ok()) return fail(body.error().message);
  try {
    const ordered_json data = ordered_json::parse(*body).at("data");
    if (options.as_json) {
      std::cout << data.dump() << "\n";
    } else {
      Print(data);
    }
    const bool known =
        !data.at("alerts").empty() || !data.at("idleRules").empty() || !data.at("past").empty();
    return known ? kExitGood : fail("no alert and no rule is \"" + options.alert + "\"");
  } catch (const ordered_json::exception&) {
    return fail("the daemon answered something unknown");
  }
}

}  // namespace

void AddExplainCommand(CLI::App& program, std::function<int()>& run) {
  auto options = std::make_shared<ExplainOptions>();
  auto* command =
      program.add_subcommand("explain", "Say why somebody was, or was not, told of an alert");
  command
      ->add_option("ALERT", options->alert,
                   "An alertname, matchers (alertname=Full,instance=db1) or a fingerprint")
      ->required();
  AddAddressOptions(*command, options->daemon);
  command->add_flag("--json", options->as_json, "Print it for a program to read");
  command->footer(
      "Exit status: 0 explained, 1 there is no such alert, or no daemon answers, 2 usage.\n"
      "Example: tocsin explain PoolFull");
  command->callback([&run, options] { run = [options] { return Explain(*options); }; });
}

}  // namespace tocsin::app
