#include "daemon/config/discovery.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <stop_token>

#include "daemon/base/config_node.h"
#include "daemon/base/host_port.h"
#include "daemon/base/secret.h"
#include "daemon/config/target_entry.h"

namespace tocsin::config {
namespace {

constexpr std::array<std::string_view, 3> kKinds = {"postgres", "pgbouncer", "redis"};
constexpr std::size_t kMaxAttempts = 3;  // Each may be a line in the server's log.
constexpr std::size_t kMaxKept = 200;
constexpr std::string_view kOwnRole = "tocsin";

struct Role {
  std::string name;  // Empty: none is named (Redis' default user).
  std::string password_file;
};

// The first file that holds a password for servers of that kind; empty if there is none.
// One that is there and cannot be used goes to `left_out`.
std::string FindPasswordFile(const std::string& kind, const DiscoveryOptions& options,
                             FileSystem& files, std::vector<std::string>& left_out) {
  for (const std::string& folder : options.password_folders) {
    const std::string file = folder + "/" + kind + ".password";
    const auto password = Secret::FromFile(file, files);
    if (password.ok()) return file;
    if (password.error().code == ErrorCode::kNotFound) continue;
    const std::string& why = password.error().message;
    if (std::find(left_out.begin(), left_out.end(), why) == left_out.end()) left_out.push_back(why);
  }
  return {};
}

// Who to be, the likeliest first.
std::vector<Role> Roles(const FoundServer& server, const DiscoveryOptions& options,
                        const std::string& password_file) {
  if (!password_file.empty()) return {Role{std::string(kOwnRole), password_file}};
  std::vector<Role> roles;
  if (server.kind == "redis") return {Role{}};
  // PgBouncer lets its own user in as "pgbouncer", without a password.
  if (server.kind == "pgbouncer" && (options.user == "postgres" || options.user == "pgbouncer")) {
    roles.push_back({"pgbouncer", ""});
  }
  const bool is_person = options.user != "root" && options.user != kOwnRole;
  if (is_person && !options.user.empty()) roles.push_back({options.user, ""});
  roles.push_back({std::string(kOwnRole), ""});
  return roles;
}

struct Candidate {
  TargetEntry entry;
  bool as_own_role = false;  // As "tocsin": what setup grants.
};

// The entries to try, in order.
std::vector<Candidate> Candidates(const FoundServer& server, const DiscoveryOptions& options,
                                  const std::string& password_file) {
  std::vector<std::string> hosts;
  if (!server.socket.empty()) hosts.push_back(server.socket);
  if (!server.host.empty()) hosts.push_back(server.host);
  std::vector<Candidate> candidates;
  for (const std::string& host : hosts) {
    for (const Role& role : Roles(server, options, password_file)) {
      // Over TCP nobody is known by who runs the process.
      const bool by_process = role.password_file.empty() && role.name != kOwnRole;
      if (host.front() != '/' && by_process && server.kind != "redis") continue;
      TargetEntry entry{{"name", server.Name()}};
      if (server.kind == "redis") {
        entry.emplace_back("url", host.front() == '/'
                                      ? "unix://" + host
                                      : "redis://" + HostPortText(host, server.port));
        if (!role.name.empty()) entry.emplace_back("user", role.name);
      } else {
        const std::string database = server.kind == "postgres" ? "postgres" : "pgbouncer";
        entry.emplace_back("dsn", fmt::format("host={} port={} user={} dbname={}", DsnValue(host),
                                              server.port, DsnValue(role.name), database));
      }
      if (!role.password_file.empty()) entry.emplace_back("password_file", role.password_file);
      candidates.push_back({std::move(entry), role.name == kOwnRole});
    }
  }
  if (candidates.size() > kMaxAttempts) candidates.resize(kMaxAttempts);
  return candidates;
}

collectors::Examination Ask(const std::string& kind, const TargetEntry& entry, FileSystem& files,
                            const Clock& clock, SteadyTime deadline) {
  ConfigErrors errors;
  const std::string text = fmt::format("{}: [ {} ]", kind, EntryText(entry));
  ConfigReader root(ConfigNode::Parse(text, kDiscoveredFile, ConfigNode::Expand::kNothing, errors),
                    errors);
  const poll::PollConfig config = poll::ParsePollConfig(root, files);
  if (!errors.empty() || config.targets.empty() || !config.targets[0].parsed.examine) {
    return {Error{ErrorCode::kInvalidArgument, errors.Text()}, {}};
  }
  return config.targets[0].parsed.examine({clock, files},
                                          {clock, clock.WallNow(), deadline, std::stop_token()});
}

// It is there, but not for us: asking at every interval would fill its log.
bool Refuses(const Error& error) {
  return error.code == ErrorCode::kPermissionDenied || error.code == ErrorCode::kCorruption ||
         error.code == ErrorCode::kInvalidArgument ||
         error.message.find("Permission denied") != std::string::npos;
}

bool IsFilePermission(const Error& error) {
  return error.message.find("Permission denied") != std::string::npos;
}

// Of several refusals the first as "tocsin" says what to grant; but one that only a
// socket's mode is the reason of says less than what the server itself answers.
bool SaysMore(const Candidate& candidate, const Error& error, const DiscoveredServer& server,
              bool told_as_own_role) {
  if (!server.error) return true;
  if (IsFilePermission(*server.error) != IsFilePermission(error)) return !IsFilePermission(error);
  return candidate.as_own_role && !told_as_own_role;
}

DiscoveredServer AskServer(const FoundServer& found, const DiscoveryOptions& options,
                           FileSystem& files, const Clock& clock, SteadyTime deadline,
                           std::vector<std::string>& left_out) {
  const auto candidates = Candidates(
      found, options,
      found.is_trusted ? FindPasswordFile(found.kind, options, files, left_out) : std::string());
  DiscoveredServer server;
  server.found = found;
  bool told_as_own_role = false;
  for (const Candidate& candidate : candidates) {
    const SteadyTime now = clock.SteadyNow();
    if (now >= deadline) break;
    collectors::Examination examination =
        Ask(found.kind, candidate.entry, files, clock,
            std::min<SteadyTime>(deadline, now + options.limit_per_server));
    const bool reached = examination.reached.ok();
    const bool refused = !reached && Refuses(examination.reached.error());
    // What hangs or starts would do so under another name, too.
    if (!refused || SaysMore(candidate, examination.reached.error(), server, told_as_own_role)) {
      server.target = EntryText(candidate.entry);
      server.error = reached ? std::nullopt : std::optional(examination.reached.error());
      server.findings = std::move(examination.findings);
      told_as_own_role = candidate.as_own_role;
    }
    server.watched = reached || (!refused && found.listens);
    if (!refused) return server;
  }
  if (!server.error) {  // Nothing was asked.
    server.error = Error{ErrorCode::kDeadlineExceeded, "there was no time left to ask it"};
    server.watched = found.listens && !candidates.empty();
    if (server.watched) server.target = EntryText(candidates.front().entry);
  }
  return server;
}

// The entries of an earlier outcome by kind and name; what is not ours is passed over.
std::map<std::string, std::map<std::string, std::string>> EntriesOf(
    const std::string& text, std::vector<std::string>& left_out) {
  std::map<std::string, std::map<std::string, std::string>> entries;
  ConfigErrors errors;
  const ConfigNode root =
      ConfigNode::Parse(text, kDiscoveredFile, ConfigNode::Expand::kNothing, errors);
  for (const std::string_view kind : kKinds) {
    const ConfigNode* targets = root.Find(kind);
    if (targets == nullptr) continue;
    std::size_t beyond = 0;
    for (const ConfigNode& target : targets->items()) {
      TargetEntry entry;
      for (const auto& [key, value] : target.entries()) {
        entry.emplace_back(key.scalar(), value.scalar());
      }
      const ConfigNode* name = target.Find("name");
      auto& of_kind = entries[std::string(kind)];
      if (name == nullptr) continue;
      if (of_kind.size() < kMaxKept || of_kind.contains(name->scalar())) {
        of_kind[name->scalar()] = EntryText(entry);
      } else {
        ++beyond;
      }
    }
    if (beyond > 0) {
      left_out.push_back(fmt::format("{} targets of kind {} found earlier, beyond the first {}",
                                     beyond, kind, kMaxKept));
    }
  }
  return entries;
}

std::string Configuration(const std::map<std::string, std::map<std::string, std::string>>& entries,
                          const DiscoveryOptions& options) {
  std::string text =
      "# What `tocsin run` found on this host, as there is no configuration file. To change it,\n"
      "# copy it to /etc/tocsin/tocsin.yaml and reload. A server that is gone for good stays a\n"
      "# target until its line is removed here.\n";
  text += "storage: { path: " + QuotedYaml(options.storage) + " }\n";
  for (const auto& [kind, targets] : entries) {
    if (targets.empty()) continue;
    text += kind + ":\n";
    for (const auto& [name, target] : targets) text += "  - " + target + "\n";
  }
  return text + "host:\n  - { name: self }\nrules: [ builtin ]\n";
}

}  // namespace

Discovery Discover(const DiscoveryOptions& options, const std::string& before, FileSystem& files,
                   const Clock& clock) {
  const SteadyTime deadline = clock.SteadyNow() + options.limit;
  Survey survey = SurveyHost(options.places, files, Deadline(clock, deadline));
  Discovery discovery;
  discovery.left_out = std::move(survey.left_out);
  auto entries = EntriesOf(before, discovery.left_out);
  std::set<std::pair<std::string, std::string>> seen;
  for (const FoundServer& found : survey.servers) {
    DiscoveredServer server = AskServer(found, options, files, clock, deadline, discovery.left_out);
    seen.emplace(found.kind, found.Name());
    auto& of_kind = entries[found.kind];
    const auto known = of_kind.find(found.Name());
    // A target that was let in once is one of ours whatever it says today; and what
    // worked then is better than a guess.
    if (known != of_kind.end() && server.error) {
      server.watched = true;
      server.target = known->second;
    } else if (server.watched) {
      of_kind[found.Name()] = server.target;
    }
    discovery.servers.push_back(std::move(server));
  }
  for (const auto& [kind, targets] : entries) {
    for (const auto& [name, target] : targets) {
      if (!seen.contains({kind, name})) discovery.kept.push_back(name);
    }
  }
  discovery.yaml = Configuration(entries, options);
  return discovery;
}

std::string DefaultStateFolder() {
  constexpr const char* kSystem = "/var/lib/tocsin";
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  const std::string managed = environment("STATE_DIRECTORY");
  if (!managed.empty()) return managed.substr(0, managed.find(':'));
  if (geteuid() == 0 || access(kSystem, W_OK) == 0) return kSystem;
  const std::string state = environment("XDG_STATE_HOME");
  if (!state.empty()) return state + "/tocsin";
  const std::string home = environment("HOME");
  return home.empty() ? kSystem : home + "/.local/state/tocsin";
}

}  // namespace tocsin::config
