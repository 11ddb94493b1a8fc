// `tocsin doctor`: checks what the daemon will need, and says how to mend what it lacks.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <future>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/config_source.h"
#include "daemon/app/host_checks.h"
#include "daemon/app/subcommand.h"
#include "daemon/app/terminal.h"
#include "daemon/base/executor.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"

namespace tocsin::app {
namespace {

using collectors::Finding;
using collectors::Severity;

// Targets looked at side by side: one that hangs costs its time-out, not the others'.
constexpr std::size_t kLanes = 16;

// One thing that was looked at.
struct Subject {
  std::string kind;  // "postgres", or "host", "storage", ….
  std::string name;
  std::string address;
  std::vector<Finding> findings;

  bool IsGood() const {
    return std::all_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.severity == Severity::kNote; });
  }
};

std::string NoRemedy(const Error& /*error*/) { return {}; }

// A probe that fails is an answer; it is a finding all the same.
void FindFailedProbe(const model::MetricBatch& batch, std::vector<Finding>& findings) {
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    if (row.name != "probe_success" || row.value != 0) continue;
    findings.push_back({Severity::kError, "answer", "the probe does not succeed", ""});
    return;
  }
}

std::vector<Finding> ExamineHttp(collectors::HttpCollector& collector, HttpClient& http,
                                 const collectors::CollectContext& context) {
  std::vector<Finding> findings;
  model::MetricBatch batch;
  HttpExchange exchange = Fetch(http, collector.Start(context), context.deadline);
  while (auto again = collector.Again(context, exchange)) {
    exchange = Fetch(http, *std::move(again), context.deadline);
  }
  const std::string failure = exchange.error ? exchange.error->message : std::string();
  const auto finished = collector.Finish(context, std::move(exchange), batch);
  if (!finished.ok()) {
    findings.push_back({Severity::kError, "answer", finished.error().message, ""});
    return findings;
  }
  FindFailedProbe(batch, findings);
  if (!findings.empty() && !failure.empty()) findings.front().message = failure;
  for (const std::string& note : batch.notes()) {
    findings.push_back({Severity::kWarning, "answer", note, ""});
  }
  return findings;
}

// Names may hold bytes that are no text: a command with them, or with what stands for them,
// would be another one.
void ShowAsText(std::vector<Finding>& findings) {
  for (Finding& finding : findings) {
    finding.message = ValidUtf8(finding.message);
    const std::string remedy = ValidUtf8(finding.remedy);
    if (remedy != finding.remedy || remedy.find("\uFFFD") != remedy.npos) finding.remedy.clear();
  }
}

std::vector<Finding> ExamineTarget(const poll::TargetConfig& target, FileSystem& files,
                                   HttpClient& http, const Clock& clock) {
  const collectors::CollectorEnvironment environment{clock, files, target.labels};
  const collectors::CollectContext context{clock, clock.WallNow(),
                                           clock.SteadyNow() + target.timeout, std::stop_token()};
  if (target.parsed.examine) return target.parsed.examine(environment, context).findings;
  collectors::AnyCollector collector = target.parsed.make(environment);
  if (auto* blocking = std::get_if<std::unique_ptr<collectors::Collector>>(&collector)) {
    return ExamineByCollecting(**blocking, context, NoRemedy).findings;
  }
  return ExamineHttp(*std::get<std::unique_ptr<collectors::HttpCollector>>(collector), http,
                     context);
}

std::vector<Subject> ExamineTargets(const config::Config& config, FileSystem& files,
                                    const Clock& clock) {
  CurlHttpClient http(clock);
  ThreadExecutors executors(clock);
  std::vector<std::unique_ptr<Executor>> lanes;
  std::vector<std::future<std::vector<Finding>>> answers;
  for (const poll::TargetConfig& target : config.poll.targets) {
    if (lanes.size() < kLanes) lanes.push_back(executors.NewExecutor("doctor"));
    auto promise = std::make_shared<std::promise<std::vector<Finding>>>();
    answers.push_back(promise->get_future());
    lanes[(answers.size() - 1) % lanes.size()]->Post(
        [&, promise] { promise->set_value(ExamineTarget(target, files, http, clock)); });
  }
  std::vector<Subject> subjects;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const poll::TargetConfig& target = config.poll.targets[i];
    subjects.push_back(
        {std::string(target.kind->name), target.name, target.parsed.address, answers[i].get()});
  }
  return subjects;
}

// Servers that discovery found and that are no targets.
void AddUnwatched(const config::Discovery& found, std::vector<Subject>& subjects) {
  for (const config::DiscoveredServer& server : found.servers) {
    if (server.watched) continue;
    Subject subject{server.found.kind, server.found.Name(), server.found.Address(),
                    server.findings};
    if (subject.findings.empty() && server.error) {
      subject.findings.push_back({Severity::kError, "answer", server.error->message, ""});
    }
    subjects.push_back(std::move(subject));
  }
}

void Print(const std::vector<Subject>& subjects) {
  for (const Subject& subject : subjects) {
    std::cout << InColour(Colour::kBold,
                          subject.kind + (subject.name.empty() ? "" : " ") + subject.name)
              << (subject.address.empty() ? "" : "  " + subject.address);
    std::cout << (subject.IsGood() ? "  " + InColour(Colour::kGreen, "good") : "") << "\n";
    for (const Finding& finding : subject.findings) {
      const Colour colour = finding.severity == Severity::kError     ? Colour::kRed
                            : finding.severity == Severity::kWarning ? Colour::kYellow
                                                                     : Colour::kFaint;
      std::cout << "  " << InColour(colour, SeverityName(finding.severity)) << "  " << finding.check
                << ": " << finding.message << "\n";
      if (!finding.remedy.empty()) {
        std::cout << "    " << InColour(Colour::kFaint, "to mend it:") << " " << finding.remedy
                  << "\n";
      }
    }
  }
}

void PrintJson(const std::string& config, const std::vector<Subject>& subjects, bool good) {
  nlohmann::json out{{"config", config}, {"good", good}, {"subjects", nlohmann::json::array()}};
  for (const Subject& subject : subjects) {
    nlohmann::json findings = nlohmann::json::array();
    for (const Finding& finding : subject.findings) {
      findings.push_back({{"severity", std::string(SeverityName(finding.severity))},
                          {"check", finding.check},
                          {"message", finding.message},
                          {"remedy", finding.remedy}});
    }
    out["subjects"].push_back({{"kind", subject.kind},
                               {"name", subject.name},
                               {"address", subject.address},
                               {"good", subject.IsGood()},
                               {"findings", std::move(findings)}});
  }
  std::cout << out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

int Doctor(const std::string& config_file, bool as_json) {
  PosixFileSystem files;
  SystemClock clock;
  if (!config_file.empty() && !files.Status(config_file).ok()) {
    std::cerr << "tocsin: " << files.Status(config_file).error().message << "\n";
    return kExitUsage;
  }
  ConfigSource source(config_file, BuiltinRulesFolder(), files, clock);
  ConfigErrors errors;
  const config::Config config = source.Load(/*keep=*/false, errors);
  std::vector<Subject> subjects{{"configuration", "", source.path(), {}}};
  for (const ConfigError& error : errors.errors()) {
    subjects.front().findings.push_back({Severity::kError, "file", error.Text(), ""});
  }
  if (source.found() != nullptr) {
    subjects.front().address = "none: this host was searched for servers";
    for (const std::string& what : source.found()->left_out) {
      subjects.front().findings.push_back({Severity::kWarning, "search", "left out: " + what, ""});
    }
  }
  if (errors.empty()) {
    for (Subject& target : ExamineTargets(config, files, clock)) {
      subjects.push_back(std::move(target));
    }
    if (source.found() != nullptr) AddUnwatched(*source.found(), subjects);
    subjects.push_back({"storage", "", config.store.path, CheckStorage(config, files)});
    subjects.push_back({"notification", "", "", CheckReceivers(config)});
    subjects.push_back({"clock", "", "", CheckClock()});
    subjects.push_back({"descriptors", "", "", CheckDescriptors(config)});
    subjects.push_back({"service", "", "", CheckUnit(files)});
  }
  for (Subject& subject : subjects) ShowAsText(subject.findings);
  const bool good = std::all_of(subjects.begin(), subjects.end(),
                                [](const Subject& subject) { return subject.IsGood(); });
  if (as_json) {
    PrintJson(source.path(), subjects, good);
  } else {
    Print(subjects);
  }
  return good ? kExitGood : kExitFindings;
}

}  // namespace

void AddDoctorCommand(CLI::App& program, std::function<int()>& run) {
  auto config_file = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  auto* command =
      program.add_subcommand("doctor", "Check what the daemon will need, and say how to mend it");
  command->add_option("-c,--config", *config_file,
                      "The configuration file; without it as `tocsin run` without it");
  command->add_flag("--json", *as_json, "Print the findings for a program to read");
  command->footer(
      "Logs in to every target as the daemon would and collects once; looks at rights,\n"
      "pg_stat_statements, what PostgreSQL logs, the state folder, receivers (nothing is sent), "
      "the\n"
      "clock, descriptors and the unit. Run it as the daemon's user to see with its rights.\n"
      "Exit status: 0 good (notes are), 1 warnings or errors, 2 usage.\n"
      "Example: sudo -u tocsin tocsin doctor --config /etc/tocsin/tocsin.yaml");
  command->callback([&run, config_file, as_json] {
    run = [config_file, as_json] { return Doctor(*config_file, *as_json); };
  });
}

}  // namespace tocsin::app
