#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>

#include "daemon/app/subcommand.h"
#include "daemon/base/text.h"

namespace tocsin::app {
namespace {

constexpr std::array kSubcommands = {
    Subcommand{AddRunCommand},    Subcommand{AddCheckCommand},   Subcommand{AddTestCommand},
    Subcommand{AddQueryCommand},  Subcommand{AddAlertsCommand},  Subcommand{AddSilenceCommand},
    Subcommand{AddNotifyCommand}, Subcommand{AddExplainCommand}, Subcommand{AddDoctorCommand},
    Subcommand{AddSetupCommand},  Subcommand{AddReplayCommand},  Subcommand{AddVersionCommand},
};

// Says which word is no subcommand, and which one may have been meant; false if all is
// well. The library would only say that one is required.
bool IsKnown(const CLI::App& program, std::string_view word) {
  const auto subcommands = program.get_subcommands([](const CLI::App*) { return true; });
  std::vector<std::string_view> names;
  for (const CLI::App* subcommand : subcommands) names.push_back(subcommand->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return true;
  std::cerr << "tocsin: unknown subcommand \"" << word << "\"" << Suggestion(word, names)
            << "; tocsin --help lists them\n";
  return false;
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  CLI::App program(
      "Tocsin watches PostgreSQL, connection pools, Redis and health endpoints, judges them\n"
      "against Prometheus rules, and pages through Slack and PagerDuty.",
      "tocsin");
  program.require_subcommand(1);
  program.set_help_all_flag("--help-all", "Help of every subcommand");
  program.footer(
      "`tocsin run` alone takes /etc/tocsin/tocsin.yaml, or finds the servers of this host if "
      "there\n"
      "is none.\n"
      "Example: tocsin run --config /etc/tocsin/tocsin.yaml");
  std::function<int()> run;
  for (const Subcommand& subcommand : kSubcommands) subcommand.add(program, run);
  if (argc > 1 && argv[1][0] != '-' && !IsKnown(program, argv[1])) return kExitUsage;
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help is good; everything else is wrong use.
    return program.exit(error) == 0 ? kExitGood : kExitUsage;
  }
  return run();
}

}  // namespace tocsin::app
