#include "daemon/app/config_source.h"

#include <unistd.h>

#include <cstdlib>

#include "daemon/base/log.h"
#include "daemon/base/user_name.h"

namespace tocsin::app {

ConfigSource::ConfigSource(std::string named, std::string builtin_rules, FileSystem& files,
                           const Clock& clock)
    : named_(std::move(named)),
      builtin_rules_(std::move(builtin_rules)),
      files_(files),
      clock_(clock) {}

config::Config ConfigSource::Load(bool keep, ConfigErrors& errors) {
  found_.reset();
  path_ = named_.empty() ? kDefaultConfigFile : named_;
  // One that is there but may not be read is an error, not a reason to guess.
  const auto status = files_.Status(path_);
  if (named_.empty() && !status.ok() && status.error().code == ErrorCode::kNotFound) {
    return Discover(keep, errors);
  }
  return config::LoadConfig({path_, builtin_rules_}, files_, errors);
}

config::Config ConfigSource::Discover(bool keep, ConfigErrors& errors) {
  config::DiscoveryOptions options;
  options.user = UserName(geteuid()).value_or("");
  options.storage = config::DefaultStateFolder();
  // systemd's LoadCredential= goes before the folder of files.
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr) {
    options.password_folders.insert(options.password_folders.begin(), credentials);
  }
  path_ = options.storage + "/" + config::kDiscoveredFile;
  const auto before = files_.Read(path_);
  if (!before.ok() && before.error().code != ErrorCode::kNotFound) {
    errors.Add(ConfigError{path_, 0, 0, "", before.error().message});
    return {};
  }
  const std::string known = before.ok() ? *before : std::string();
  // What is not understood is not overwritten: it may name servers that are down.
  ConfigNode::Parse(known, path_, ConfigNode::Expand::kNothing, errors);
  if (!errors.empty()) return {};
  found_ = config::Discover(options, known, files_, clock_);
  if (keep && found_->yaml != known) {
    auto written = files_.MakeDirectory(options.storage);
    if (written.ok()) written = files_.WriteAtomically(path_, found_->yaml);
    if (!written.ok()) errors.Add(ConfigError{path_, 0, 0, "", written.error().message});
  }
  return config::LoadConfig({path_, builtin_rules_, found_->yaml}, files_, errors);
}

void LogDiscovery(const config::Discovery& found, const std::string& path) {
  LogInfo(
      "there is no configuration file: this host was searched for servers, and will be again "
      "at SIGHUP",
      {{"config", path}, {"servers", std::to_string(found.servers.size())}});
  for (const config::DiscoveredServer& server : found.servers) {
    const std::string address = server.found.Address();
    if (server.watched && !server.error) {
      LogInfo("found", {{"kind", server.found.kind}, {"address", address}});
    } else if (server.watched) {
      LogWarning(
          "found, and watched although it does not answer now",
          {{"kind", server.found.kind}, {"address", address}, {"error", server.error->message}});
    }
    for (const collectors::Finding& finding : server.findings) {
      if (finding.severity == collectors::Severity::kNote) continue;
      if (server.error && server.watched) continue;  // Told above.
      LogWarning(
          server.watched ? "found, but does not see all of it" : "found, but may not read it",
          {{"kind", server.found.kind},
           {"address", address},
           {"what", finding.check},
           {"why", finding.message},
           {"to_grant", finding.remedy}});
    }
  }
  for (const std::string& name : found.kept) {
    LogWarning("found earlier and watched still, but not in sight now", {{"target", name}});
  }
  for (const std::string& what : found.left_out) {
    LogWarning("left out of the search", {{"what", what}});
  }
}

}  // namespace tocsin::app
