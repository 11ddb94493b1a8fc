// `tocsin notify test`: a made-up alert to receivers, without a running daemon.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/alerting_file.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/http_client.h"
#include "daemon/notify/notifier.h"

namespace tocsin::app {
namespace {

using nlohmann::ordered_json;

struct NotifyTestOptions {
  std::string config = "/etc/tocsin/tocsin.yaml";
  std::vector<std::string> receivers;
  bool all = false;
  bool as_json = false;
};

std::vector<std::string> NamesOf(const notify::NotifyConfig& config) {
  std::vector<std::string> names;
  for (const notify::ReceiverConfig& receiver : config.receivers) names.push_back(receiver.name);
  return names;
}

// Tells one receiver; returns how each of its integrations took it.
Result<ordered_json> TestReceiver(const AlertingFile& alerting, const std::string& receiver) {
  SystemClock clock;
  CurlHttpClient client(clock);
  TOCSIN_ASSIGN_OR_RETURN(const auto tested,
                          notify::SendTestNotification(*alerting.config, receiver,
                                                       alerting.external_url, clock, client));
  ordered_json outcomes = ordered_json::array();
  for (const notify::TestedIntegration& integration : tested) {
    outcomes.push_back({{"receiver", receiver},
                        {"integration", integration.integration},
                        {"delivered", !integration.error},
                        {"error", integration.error ? integration.error->message : ""},
                        {"notes", integration.notes}});
  }
  return outcomes;
}

void Print(const std::string& receiver, const ordered_json& outcomes) {
  for (const ordered_json& outcome : outcomes) {
    const bool delivered = outcome["delivered"].get<bool>();
    std::cout << fmt::format("{}: {}\n", outcome["integration"].get<std::string>(),
                             delivered ? "delivered" : outcome["error"].get<std::string>());
    for (const ordered_json& note : outcome["notes"]) {
      std::cout << "  but its message: " << note.get<std::string>() << "\n";
    }
  }
  if (outcomes.empty()) std::cout << receiver << ": has no integration, nobody is told\n";
}

int TestNotification(const NotifyTestOptions& options) {
  PosixFileSystem files;
  ConfigErrors errors;
  const AlertingFile alerting = LoadAlertingFile(options.config, files, errors);
  if (!errors.empty()) {
    std::cerr << errors.Text();
    return kExitUsage;
  }
  const std::vector<std::string> names = NamesOf(*alerting.config);
  const std::vector<std::string>& wanted = options.all ? names : options.receivers;
  if (wanted.empty()) {
    std::cerr << fmt::format("tocsin: name a receiver, or --all: {}\n", fmt::join(names, ", "));
    return kExitUsage;
  }
  int worst = kExitGood;
  ordered_json report = ordered_json::array();
  for (const std::string& receiver : wanted) {
    const auto outcomes = TestReceiver(alerting, receiver);
    if (!outcomes.ok()) {
      std::cerr << fmt::format("tocsin: {}; there are: {}\n", outcomes.error().message,
                               fmt::join(names, ", "));
      return kExitUsage;
    }
    for (const ordered_json& outcome : *outcomes) {
      const bool good = outcome["delivered"].get<bool>() && outcome["notes"].empty();
      if (!good) worst = kExitFindings;
      report.push_back(outcome);
    }
    if (!options.as_json) Print(receiver, *outcomes);
  }
  if (options.as_json) std::cout << report.dump() << "\n";
  return worst;
}

}  // namespace

void AddNotifyCommand(CLI::App& program, std::function<int()>& run) {
  auto* notify = program.add_subcommand("notify", "Try out whom alerts are told");
  notify->require_subcommand(1);
  const auto options = std::make_shared<NotifyTestOptions>();
  auto* test = notify->add_subcommand(
      "test", "Send a test alert, and its end, to receivers; no daemon need run");
  test->add_option("RECEIVER", options->receivers, "Names of receivers");
  test->add_flag("--all", options->all, "Every receiver");
  test->add_option("-c,--config", options->config, "tocsin.yaml or an alertmanager.yml")
      ->capture_default_str();
  test->add_flag("--json", options->as_json, "Print the outcomes for a program to read");
  test->footer(
      "Exit status: 0 all took it as it was meant, 1 some did not, 2 usage or a wrong "
      "configuration.\n"
      "Example: tocsin notify test critical --config /etc/tocsin/tocsin.yaml");
  test->callback([&run, options] { run = [options] { return TestNotification(*options); }; });
  notify->footer("Example: tocsin notify test --all");
}

}  // namespace tocsin::app
