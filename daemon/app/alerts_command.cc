// `tocsin alerts`: those of this daemon's rules and those that others sent it.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/api_client.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/config_node.h"
#include "daemon/model/labels.h"

namespace tocsin::app {
namespace {

using nlohmann::ordered_json;

// What notify says of an alert's quiet, and how the list calls it.
constexpr std::pair<const char*, const char*> kQuiet[] = {
    {"silencedBy", "silenced"}, {"inhibitedBy", "inhibited"}, {"mutedBy", "muted"}};

model::Labels LabelsOf(const ordered_json& object) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : object.items()) {
    pairs.emplace_back(name, value.get<std::string>());
  }
  return model::Labels::FromMap(pairs);
}

// The labels that every alert of this host's rules has gained when notify sees it.
model::Labels ExternalLabels(const ordered_json& config) {
  ConfigErrors errors;
  const ConfigNode root = ConfigNode::Parse(config.at("data").at("yaml").get<std::string>(),
                                            "configuration", ConfigNode::Expand::kNothing, errors);
  return model::Labels::FromMap(ConfigReader(root, errors).StringMap("labels"));
}

void TakeQuiet(const ordered_json& status, ordered_json& alert) {
  for (const auto& [key, word] : kQuiet) alert[key] = status.value(key, ordered_json::array());
}

// What the rules have, in their order, then what others sent; each with what keeps it
// quiet if notify knows it.
ordered_json Merge(const ordered_json& of_rules, const ordered_json& of_notify,
                   const model::Labels& external) {
  std::map<model::Labels, const ordered_json*> known;
  for (const ordered_json& alert : of_notify) known[LabelsOf(alert.at("labels"))] = &alert;
  ordered_json merged = ordered_json::array();
  for (const ordered_json& alert : of_rules) {
    merged.push_back(alert);
    const auto found = known.find(external.Overlay(LabelsOf(alert.at("labels"))));
    if (found == known.end()) continue;
    TakeQuiet(found->second->at("status"), merged.back());
    known.erase(found);
  }
  for (const auto& [labels, alert] : known) {
    merged.push_back({{"labels", alert->at("labels")},
                      {"annotations", alert->at("annotations")},
                      {"state", "firing"},
                      {"activeAt", alert->at("startsAt")}});
    TakeQuiet(alert->at("status"), merged.back());
  }
  return merged;
}

// "firing", "pending, held", "firing, silenced, inhibited".
std::string StateOf(const ordered_json& alert) {
  std::vector<std::string> words{alert.at("state").get<std::string>()};
  if (alert.contains("holdReason")) words.emplace_back("held");
  for (const auto& [key, word] : kQuiet) {
    if (alert.contains(key) && !alert[key].empty()) words.emplace_back(word);
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

void Print(const ordered_json& alerts) {
  std::size_t width = 0;
  for (const ordered_json& alert : alerts) width = std::max(width, StateOf(alert).size());
  for (const ordered_json& alert : alerts) {
    std::string summary = alert.at("annotations").value("summary", "");
    // Whoever posted it: one line, and nothing that a terminal obeys.
    std::replace_if(
        summary.begin(), summary.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
    std::cout << fmt::format("{:<{}}  {}  {}{}since {}\n", StateOf(alert), width,
                             LabelsOf(alert.at("labels")).Text(), summary,
                             summary.empty() ? "" : "  ", alert.at("activeAt").get<std::string>());
  }
  if (alerts.empty()) std::cerr << "no alerts\n";
}

int Alerts(const DaemonAddress& daemon, bool as_json) {
  const auto fail = [](const std::string& message) {
    std::cerr << "tocsin: " << message << "\n";
    return kExitFindings;
  };
  std::vector<ordered_json> answers;
  for (const char* path : {"/api/v1/alerts", "/api/v2/alerts", "/api/v1/status/config"}) {
    const auto body = AskDaemon(daemon, path, {});
    if (!body.ok()) return fail(body.error().message);
    answers.push_back(ordered_json::parse(*body, nullptr, false));
  }
  try {
    const ordered_json alerts =
        Merge(answers[0].at("data").at("alerts"), answers[1], ExternalLabels(answers[2]));
    if (as_json) {
      std::cout << ordered_json{{"alerts", alerts}}.dump() << "\n";
    } else {
      Print(alerts);
    }
    return kExitGood;
  } catch (const ordered_json::exception&) {
    return fail("the daemon answered something unknown");
  }
}

}  // namespace

void AddAlertsCommand(CLI::App& program, std::function<int()>& run) {
  auto daemon = std::make_shared<DaemonAddress>();
  auto as_json = std::make_shared<bool>(false);
  auto* command = program.add_subcommand("alerts", "List pending and firing alerts");
  AddAddressOptions(*command, *daemon);
  command->add_flag("--json", *as_json, "Print them for a program to read");
  command->footer(
      "One line per alert: its state, and whether it is held, silenced, inhibited or muted; its "
      "labels, its summary, since when.\n"
      "Example: tocsin alerts");
  command->callback(
      [&run, daemon, as_json] { run = [daemon, as_json] { return Alerts(*daemon, *as_json); }; });
}

}  // namespace tocsin::app
