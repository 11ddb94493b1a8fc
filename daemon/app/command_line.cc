#include <CLI/CLI.hpp>
#include <array>
#include <iostream>

#include "daemon/app/subcommand.h"

namespace tocsin::app {
namespace {

constexpr std::array kSubcommands = {
    Subcommand{AddRunCommand},   Subcommand{AddCheckCommand},  Subcommand{AddTestCommand},
    Subcommand{AddQueryCommand}, Subcommand{AddAlertsCommand}, Subcommand{AddVersionCommand},
};

}  // namespace

std::string Version() { return TOCSIN_VERSION; }

int RunCommandLine(int argc, char** argv) {
  CLI::App program(
      "Tocsin watches PostgreSQL, connection pools, Redis and health endpoints, judges them\n"
      "against Prometheus rules, and pages through Slack and PagerDuty.",
      "tocsin");
  program.require_subcommand(1);
  program.set_help_all_flag("--help-all", "Help of every subcommand");
  program.footer("Example: tocsin run --config /etc/tocsin/tocsin.yaml");
  std::function<int()> run;
  for (const Subcommand& subcommand : kSubcommands) subcommand.add(program, run);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help is good; everything else is wrong use.
    return program.exit(error) == 0 ? kExitGood : kExitUsage;
  }
  return run();
}

}  // namespace tocsin::app
