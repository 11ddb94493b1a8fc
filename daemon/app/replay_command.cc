// `tocsin replay`: which alerts the rules would have raised over stored history.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/config_source.h"
#include "daemon/app/remote_history.h"
#include "daemon/app/subcommand.h"
#include "daemon/app/terminal.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/store/archive.h"
#include "rules/engine/replay.h"

namespace tocsin::app {
namespace {

using nlohmann::json;

struct ReplayRequest {
  std::vector<std::string> files;
  std::string config_file;
  std::string storage;
  DaemonAddress prometheus{.url = ""};
  std::string start = "24h", end, step, interval;
  bool as_json = false;
};

int Misused(const std::string& what) {
  std::cerr << "tocsin: " << what << "\n";
  return kExitUsage;
}

// "24h" is a day ago, nothing is now, else RFC 3339 or Unix seconds.
Result<WallTime> Moment(const std::string& text, WallTime now) {
  if (text.empty()) return now;
  constexpr double kMostSeconds = 1e11;  // Some 3,000 years.
  if (const auto seconds = ParseDouble(text); seconds && std::fabs(*seconds) < kMostSeconds) {
    return FromUnixMillis(static_cast<std::int64_t>(*seconds * 1000));
  }
  if (const auto ago = ParseDuration(text); ago.ok()) return now - *ago;
  auto time = ParseTime(text);
  if (time.ok()) return time;
  return Error{ErrorCode::kInvalidArgument,
               "\"" + text + "\" is no time: write RFC 3339, Unix seconds or how long ago (24h)"};
}

Result<Millis> Duration(const std::string& text, Millis fallback) {
  if (text.empty()) return fallback;
  TOCSIN_ASSIGN_OR_RETURN(const Millis duration, ParseDuration(text));
  if (duration > Millis(0)) return duration;
  return Error{ErrorCode::kInvalidArgument, "a step or interval must be longer than 0"};
}

// What is replayed over what, with the configuration's part in it.
struct Subject {
  rules::RuleSet rules;
  rules::ReplayOptions options;
  promql::PromqlConfig promql;
  std::string storage;
};

Result<Subject> FindSubject(const ReplayRequest& request, FileSystem& files, const Clock& clock) {
  Subject subject;
  rules::RulesConfig rules;
  const std::string path = request.config_file.empty() ? kDefaultConfigFile : request.config_file;
  ConfigErrors errors;
  if (!request.config_file.empty() || files.Status(path).ok()) {
    config::Config config = config::LoadConfig({path, BuiltinRulesFolder()}, files, errors);
    if (!errors.empty()) return Error{ErrorCode::kInvalidArgument, errors.Text()};
    rules = std::move(config.rules);
    subject.promql = config.promql;
    subject.storage = config.store.path;
    subject.options.external_labels = config.external_labels;
    subject.options.external_url = config.api.external_url;
  } else {
    subject.storage = config::DefaultStateFolder();
  }
  if (!request.files.empty()) rules.files = request.files;
  TOCSIN_ASSIGN_OR_RETURN(rules.interval, Duration(request.interval, rules.interval));
  subject.options.interval = rules.interval;
  subject.rules = rules::LoadRuleSet(rules, files, BuiltinRulesFolder(), errors);
  if (!errors.empty()) return Error{ErrorCode::kInvalidArgument, errors.Text()};
  if (!request.storage.empty()) subject.storage = request.storage;
  const WallTime now = clock.WallNow();
  TOCSIN_ASSIGN_OR_RETURN(subject.options.start, Moment(request.start, now));
  TOCSIN_ASSIGN_OR_RETURN(subject.options.end, Moment(request.end, now));
  TOCSIN_ASSIGN_OR_RETURN(subject.options.step, Duration(request.step, Millis(0)));
  if (subject.options.end < subject.options.start) {
    return Error{ErrorCode::kInvalidArgument, "the range ends before it starts"};
  }
  return subject;
}

std::string LabelsText(const model::Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (name == model::kAlertName) continue;
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ", ", name, value);
  }
  return "{" + text + "}";
}

std::string SecondsText(WallTime time) {
  std::string text = FormatTime(time);
  return text.substr(0, text.find('.')) + "Z";
}

std::string Rounded(Millis duration) {
  return FormatDuration(std::chrono::duration_cast<std::chrono::seconds>(duration));
}

void Print(const rules::ReplayReport& report, const rules::ReplayOptions& options) {
  if (!report.alerts.empty()) {
    std::cout << InColour(Colour::kBold, fmt::format("{:<20}  {:<20}  {:<20}  {:>9}  ALERT",
                                                     "PENDING", "FIRED", "ENDED", "FIRED FOR"))
              << "\n";
  }
  for (const rules::ReplayedAlert& alert : report.alerts) {
    const std::string fired = alert.fired_at ? SecondsText(*alert.fired_at) : "never";
    const std::string ended = alert.ended_at ? SecondsText(*alert.ended_at) : "goes on";
    const std::string length =
        alert.fired_at ? Rounded(alert.ended_at.value_or(options.end) - *alert.fired_at) : "";
    std::cout << fmt::format(
        "{:<20}  {}  {:<20}  {:>9}  {}{}  {}\n", SecondsText(alert.pending_at),
        InColour(alert.fired_at ? Colour::kRed : Colour::kFaint, fmt::format("{:<20}", fired)),
        ended, length, report.rules[alert.rule].name, LabelsText(alert.labels),
        FormatDouble(alert.value));
  }
  if (!report.alerts.empty()) std::cout << "\n";
  std::int64_t quiet = 0;
  for (const rules::ReplayedRule& rule : report.rules) {
    if (rule.fired + rule.only_pending > 0) {
      std::cout << fmt::format("{} ({}): fired {} times, {} in all; {} only pending\n", rule.name,
                               rule.group, rule.fired, Rounded(rule.firing), rule.only_pending);
    } else if (rule.kind == rules::Rule::Kind::kAlert && rule.failures == 0) {
      ++quiet;
    }
    if (rule.failures > 0) {
      std::cout << InColour(Colour::kYellow,
                            fmt::format("{} ({}): {} evaluations failed: {}", rule.name, rule.group,
                                        rule.failures, rule.first_error))
                << "\n";
    }
  }
  std::cout << fmt::format("{} alerting rules stayed quiet; {} evaluations from {} to {}\n", quiet,
                           report.evaluations, SecondsText(options.start),
                           SecondsText(options.end));
  if (report.alerts_left_out > 0) {
    std::cout << report.alerts_left_out << " more alerts are not listed\n";
  }
}

json TimeJson(const std::optional<WallTime>& time) {
  return time ? json(FormatTime(*time)) : json(nullptr);
}

json PairsJson(const model::Labels& labels) {
  json out = json::object();
  for (const auto& [name, value] : labels) out[std::string(name)] = std::string(value);
  return out;
}

void PrintJson(const rules::ReplayReport& report, const rules::ReplayOptions& options) {
  json out{{"start", FormatTime(options.start)},      {"end", FormatTime(options.end)},
           {"evaluations", report.evaluations},       {"alerts", json::array()},
           {"alertsLeftOut", report.alerts_left_out}, {"rules", json::array()}};
  for (const rules::ReplayedAlert& alert : report.alerts) {
    const rules::ReplayedRule& rule = report.rules[alert.rule];
    out["alerts"].push_back({{"name", rule.name},
                             {"group", rule.group},
                             {"file", rule.file},
                             {"labels", PairsJson(alert.labels)},
                             {"annotations", PairsJson(alert.annotations)},
                             {"value", FormatDouble(alert.value)},
                             {"pendingAt", FormatTime(alert.pending_at)},
                             {"firedAt", TimeJson(alert.fired_at)},
                             {"endedAt", TimeJson(alert.ended_at)}});
  }
  for (const rules::ReplayedRule& rule : report.rules) {
    out["rules"].push_back(
        {{"name", rule.name},
         {"group", rule.group},
         {"file", rule.file},
         {"type", rule.kind == rules::Rule::Kind::kAlert ? "alerting" : "recording"},
         {"fired", rule.fired},
         {"onlyPending", rule.only_pending},
         {"firingSeconds", ToSeconds(rule.firing)},
         {"failures", rule.failures},
         {"firstError", rule.first_error}});
  }
  std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
}

int Replay(const ReplayRequest& request) {
  InitLog(LogLevel::kError);  // What rules fail with is in the report.
  PosixFileSystem files;
  SystemClock clock;
  auto subject = FindSubject(request, files, clock);
  if (!subject.ok()) return Misused(subject.error().message);
  std::unique_ptr<model::Querier> history;
  const store::Archive* opened = nullptr;
  if (request.prometheus.url.empty()) {
    auto archive = store::Archive::Open(subject->storage);
    if (!archive.ok()) return Misused(archive.error().message);
    opened = archive->get();
    history = *std::move(archive);
  } else {
    history = std::make_unique<RemoteHistory>(request.prometheus);
  }
  const bool shows_progress = isatty(STDERR_FILENO) != 0;
  if (shows_progress) {
    subject->options.progress = [](double share) {
      std::cerr << fmt::format("\r{:3.0f} %", share * 100) << std::flush;
    };
  }
  const promql::Engine engine(subject->promql);
  const auto report =
      rules::Replay(std::move(subject->rules), *history, engine, clock, subject->options);
  if (shows_progress) std::cerr << "\r     \r";
  if (!report.ok()) return Misused(report.error().message);
  if (opened != nullptr && opened->damaged() > 0) {
    std::cerr << fmt::format("tocsin: {} damaged pieces of history.db were left out\n",
                             opened->damaged());
  }
  if (request.as_json) {
    PrintJson(*report, subject->options);
  } else {
    Print(*report, subject->options);
  }
  const bool silent = std::all_of(
      report->rules.begin(), report->rules.end(),
      [](const rules::ReplayedRule& rule) { return rule.fired == 0 && rule.failures == 0; });
  return silent ? kExitGood : kExitFindings;
}

}  // namespace

void AddReplayCommand(CLI::App& program, std::function<int()>& run) {
  auto request = std::make_shared<ReplayRequest>();
  auto* command = program.add_subcommand(
      "replay", "Tell which alerts rules would have raised over stored history");
  command->add_option("FILE", request->files,
                      "Rule files, patterns or builtin; without them the configuration's, else "
                      "builtin");
  command
      ->add_option("--start", request->start,
                   "Start of the range: RFC 3339, Unix seconds, or how long ago")
      ->capture_default_str();
  command->add_option("--end", request->end, "End of the range; default now");
  command->add_option("--step", request->step,
                      "Evaluate that often; default each group's interval");
  command->add_option("--interval", request->interval, "Of groups that name none");
  command->add_option("-c,--config", request->config_file,
                      std::string("The configuration whose rules, labels and storage are meant; "
                                  "default ") +
                          kDefaultConfigFile + " if it exists");
  command->add_option("--storage", request->storage,
                      "The folder of history.db; default the configuration's");
  AddAddressOptions(*command, request->prometheus,
                    "A Prometheus to read from instead (remote read: http://…, https://…)");
  command->add_flag("--json", request->as_json, "Print the alerts for a program to read");
  command->footer(
      "history.db is only read, also while a daemon writes it. Recording rules are computed anew;\n"
      "evaluation on arrival and holds are not replayed, so that a real alert may have come up to\n"
      "one interval sooner, and one whose source was silent would have been held.\n"
      "Exit status: 0 nothing would have fired, 1 something would (or a rule fails), 2 wrong use, "
      "rules\nor history that cannot be read.\n"
      "Example: tocsin replay new-rules.yaml --start 7d --storage /var/lib/tocsin");
  command->callback([&run, request] { run = [request] { return Replay(*request); }; });
}

}  // namespace tocsin::app
