#pragma once

// The command line: one row per subcommand. Exit codes: 0 good, 1 findings, 2 usage.

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tocsin::app {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFindings = 1;
inline constexpr int kExitUsage = 2;

struct Subcommand {
  // Adds the subcommand and its options to the command line; `run` is called after
  // parsing if the user chose it, and its result is the exit code.
  void (*add)(CLI::App& program, std::function<int()>& run);
};

void AddRunCommand(CLI::App& program, std::function<int()>& run);
void AddCheckCommand(CLI::App& program, std::function<int()>& run);
void AddTestCommand(CLI::App& program, std::function<int()>& run);
void AddQueryCommand(CLI::App& program, std::function<int()>& run);
void AddAlertsCommand(CLI::App& program, std::function<int()>& run);
void AddSilenceCommand(CLI::App& program, std::function<int()>& run);
void AddNotifyCommand(CLI::App& program, std::function<int()>& run);
void AddExplainCommand(CLI::App& program, std::function<int()>& run);
void AddDoctorCommand(CLI::App& program, std::function<int()>& run);
void AddSetupCommand(CLI::App& program, std::function<int()>& run);
void AddReplayCommand(CLI::App& program, std::function<int()>& run);
void AddVersionCommand(CLI::App& program, std::function<int()>& run);

// Parses the arguments and runs the chosen subcommand; returns its exit code.
int RunCommandLine(int argc, char** argv);

// The shipped rules: beside the program in a build tree or source checkout, else
// where the package installs them.
std::string BuiltinRulesFolder();

}  // namespace tocsin::app
