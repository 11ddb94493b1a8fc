// `tocsin setup postgres|pgbouncer|redis`: the rights that the daemon needs, as lines to
// paste or, with --apply, done.

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "collectors/kinds.h"
#include "daemon/app/subcommand.h"
#include "daemon/app/terminal.h"
#include "daemon/base/file_system.h"
#include "daemon/base/scram.h"
#include "daemon/config/target_entry.h"

namespace tocsin::app {
namespace {

using collectors::KindSetup;
using collectors::SetupStep;

constexpr std::chrono::seconds kPatience{30};
constexpr const char* kDaemonUser = "tocsin";

struct SetupOptions {
  std::string kind;
  collectors::SetupRequest request;
  std::string password_file;
  std::string administrator_password_file;
  bool apply = false;
  bool as_json = false;
};

// The daemon has to read it, whoever made it.
Result<> GiveToDaemon(const std::string& path) {
  const passwd* user = getpwnam(kDaemonUser);
  if (geteuid() != 0 || user == nullptr) return {};
  if (chown(path.c_str(), user->pw_uid, user->pw_gid) == 0) return {};
  return Error{ErrorCode::kIoError, path + ": " + std::strerror(errno)};
}

// The file's password; one that does not exist is made. `made` tells.
Result<Secret> FindPassword(FileSystem& files, const std::string& path, bool& made) {
  auto known = Secret::FromFile(path, files);
  if (known.ok() || known.error().code != ErrorCode::kNotFound) return known;
  TOCSIN_ASSIGN_OR_RETURN(Secret password, GeneratePassword());
  const auto slash = path.find_last_of('/');
  if (slash != path.npos && slash != 0) {
    const std::string folder = path.substr(0, slash);
    if (!files.Status(folder).ok()) {
      TOCSIN_RETURN_IF_ERROR(files.MakeDirectory(folder));
      TOCSIN_RETURN_IF_ERROR(GiveToDaemon(folder));
    }
  }
  TOCSIN_RETURN_IF_ERROR(files.WriteAtomically(path, password.Reveal() + "\n"));
  TOCSIN_RETURN_IF_ERROR(GiveToDaemon(path));
  made = true;
  return password;
}

// An URL, or what is meant to be one, without the user and password in it.
std::string WithoutUser(const std::string& url) {
  constexpr std::string_view kSchemeEnd = "://";
  const auto scheme = url.find(kSchemeEnd);
  const std::size_t begin = scheme == url.npos ? 0 : scheme + kSchemeEnd.size();
  const auto at = url.rfind('@');
  const bool is_path = begin < url.size() && url[begin] == '/';
  if (at == url.npos || at < begin || is_path) return url;
  return url.substr(0, begin) + url.substr(at + 1);
}

// The target as the configuration has it, where `$` would begin a variable.
std::string TargetLine(const SetupOptions& options) {
  const std::string& administrator = options.request.administrator;
  const std::string role = config::DsnValue(options.request.role);
  config::TargetEntry entry;
  if (options.kind == "redis") {
    entry = {{"name", "cache"},
             {"url", administrator.empty() ? "redis://127.0.0.1:6379" : WithoutUser(administrator)},
             {"user", options.request.role}};
  } else if (options.kind == "pgbouncer") {
    entry = {{"name", "pool"},
             {"dsn", fmt::format("host=127.0.0.1 port=6432 user={} dbname=pgbouncer", role)}};
  } else {
    entry = {
        {"name", "primary"},
        {"dsn", fmt::format("host={} user={} dbname={}",
                            options.password_file.empty() ? "/var/run/postgresql" : "127.0.0.1",
                            role, config::DsnValue(options.request.database))}};
  }
  if (!options.password_file.empty()) entry.emplace_back("password_file", options.password_file);
  std::string line;
  for (const char c : fmt::format("{}: [ {} ]", options.kind, config::EntryText(entry))) {
    line += c;
    if (c == '$') line += c;
  }
  return line;
}

void PrintSteps(const std::vector<SetupStep>& steps) {
  for (const SetupStep& step : steps) {
    std::cout << InColour(Colour::kBold, "# " + step.where) << "\n" << step.text << "\n\n";
  }
}

nlohmann::json StepsJson(const std::vector<SetupStep>& steps) {
  nlohmann::json out = nlohmann::json::array();
  for (const SetupStep& step : steps) out.push_back({{"where", step.where}, {"text", step.text}});
  return out;
}

int Fail(const Error& error) {
  std::cerr << "tocsin: " << error.message << "\n";
  return kExitFindings;
}

// What there is to say at the end, both ways.
int Report(const SetupOptions& options, bool made, const std::vector<std::string>& done,
           std::vector<SetupStep> steps) {
  steps.push_back({"in tocsin.yaml", TargetLine(options)});
  if (options.as_json) {
    nlohmann::json out{{"kind", options.kind},  {"applied", options.apply},
                       {"done", done},          {"password_file", options.password_file},
                       {"password_made", made}, {"steps", StepsJson(steps)}};
    std::cout << out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return kExitGood;
  }
  if (made) std::cerr << "a new password is in " << options.password_file << "\n";
  for (const std::string& what : done) {
    std::cout << InColour(Colour::kGreen, "done:") << " " << what << "\n";
  }
  if (!done.empty()) std::cout << "\n";
  PrintSteps(steps);
  return kExitGood;
}

int Setup(SetupOptions options) {
  PosixFileSystem files;
  const KindSetup& setup = *collectors::FindCollectorKind(options.kind)->setup;
  const bool needs_server = options.kind != "pgbouncer";
  if (options.apply && needs_server && options.request.administrator.empty()) {
    std::cerr << "tocsin: --apply needs " << (options.kind == "redis" ? "--url" : "--dsn")
              << ": as whom, and where\n";
    return kExitUsage;
  }
  bool made = false;
  if (!options.password_file.empty()) {
    auto password = FindPassword(files, options.password_file, made);
    if (!password.ok()) return Fail(password.error());
    options.request.password = *std::move(password);
  }
  if (!options.administrator_password_file.empty()) {
    auto password = Secret::FromFile(options.administrator_password_file, files);
    if (!password.ok()) return Fail(password.error());
    options.request.administrator_password = *std::move(password);
  }
  if (!options.apply) {
    auto steps = setup.plan(options.request);
    if (!steps.ok()) return Fail(steps.error());
    return Report(options, made, {}, *std::move(steps));
  }
  const SystemClock clock;
  const collectors::CollectContext context{clock, clock.WallNow(), clock.SteadyNow() + kPatience,
                                           std::stop_token()};
  auto applied = setup.apply(options.request, files, context);
  if (!applied.ok()) return Fail(applied.error());
  return Report(options, made, applied->done, std::move(applied->left));
}

CLI::App* AddKind(CLI::App& setup, std::function<int()>& run, const std::string& kind,
                  const std::string& help, const std::string& default_password_file,
                  const std::shared_ptr<SetupOptions>& options) {
  auto* command = setup.add_subcommand(kind, help);
  options->kind = kind;
  options->password_file = default_password_file;
  command->add_option("--role", options->request.role, "The user to make")->capture_default_str();
  command
      ->add_option("--password-file", options->password_file,
                   "File with the user's password; if it does not exist, one is made and "
                   "written there")
      ->capture_default_str();
  command->add_option("--administrator-password-file", options->administrator_password_file,
                      "File with the password of who applies it");
  command->add_flag("--apply", options->apply, "Do it, instead of printing what to do");
  command->add_flag("--json", options->as_json, "Print it for a program to read");
  command->callback([&run, options] { run = [options] { return Setup(*options); }; });
  return command;
}

}  // namespace

void AddSetupCommand(CLI::App& program, std::function<int()>& run) {
  auto* setup = program.add_subcommand(
      "setup", "Print, or do, what gives the daemon the rights it needs and no more");
  setup->require_subcommand(1);
  setup->footer(
      "Doing it twice changes nothing. Passwords are never shown: what is printed is what they "
      "are\n"
      "verified with.\n"
      "Exit status: 0 good, 1 it could not be done, 2 usage.\n"
      "Example: tocsin setup postgres");

  auto postgres = std::make_shared<SetupOptions>();
  postgres->request.database = "postgres";
  auto* command = AddKind(*setup, run, "postgres", "A role with pg_monitor, and pg_stat_statements",
                          "", postgres);
  command
      ->add_option("--database", postgres->request.database,
                   "Where pg_stat_statements is made: the database the daemon connects to")
      ->capture_default_str();
  command->add_option("--dsn", postgres->request.administrator,
                      "Connection string of a superuser, for --apply");
  command->footer(
      "Without --password-file the role has no password: the daemon is then known by its own user\n"
      "over the server's socket (peer).\n"
      "Example: sudo -u postgres tocsin setup postgres --dsn \"host=/var/run/postgresql\" --apply");

  auto pgbouncer = std::make_shared<SetupOptions>();
  pgbouncer->request.ini_file = "/etc/pgbouncer/pgbouncer.ini";
  command = AddKind(*setup, run, "pgbouncer", "A line of stats_users and an entry of the auth_file",
                    "/etc/tocsin/pgbouncer.password", pgbouncer);
  command->add_option("--ini", pgbouncer->request.ini_file, "PgBouncer's configuration file")
      ->capture_default_str();
  command->add_option("--dsn", pgbouncer->request.administrator,
                      "Connection string of one of admin_users, to reload after --apply");
  command->footer(
      "With --apply the two files are changed; their owners and modes stay.\n"
      "Example: sudo tocsin setup pgbouncer --apply && sudo systemctl reload pgbouncer");

  auto redis = std::make_shared<SetupOptions>();
  command = AddKind(*setup, run, "redis", "An ACL user with the commands that are used",
                    "/etc/tocsin/redis.password", redis);
  command->add_option("--url", redis->request.administrator,
                      "redis://… of a user who may change users, for --apply");
  command->add_flag("--key-policies", redis->request.reads_keys,
                    "Also what key_policies need: SCAN and PTTL, of every key");
  command->footer("Example: sudo tocsin setup redis --url redis://127.0.0.1:6379 --apply");
}

}  // namespace tocsin::app
