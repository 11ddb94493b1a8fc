#pragma once

// Which configuration `tocsin run` and `tocsin doctor` mean: the file that was named,
// else /etc/tocsin/tocsin.yaml, and where that does not exist what discovery finds on
// this host. Not thread-safe.

#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/config/config.h"
#include "daemon/config/discovery.h"

namespace tocsin::app {

inline constexpr const char* kDefaultConfigFile = "/etc/tocsin/tocsin.yaml";

class ConfigSource {
 public:
  // `named` is the path of --config, or empty.
  ConfigSource(std::string named, std::string builtin_rules, FileSystem& files, const Clock& clock);

  // Reads the file, or discovers: then what was found is kept in the state folder (with
  // `keep`), and found() tells of it. Asked anew at each call, so that a file that has
  // appeared meanwhile is taken. Errors are added to `errors`.
  config::Config Load(bool keep, ConfigErrors& errors);

  // Of the last Load: what the configuration was read from.
  const std::string& path() const { return path_; }
  // Null unless the last Load discovered.
  const config::Discovery* found() const { return found_ ? &*found_ : nullptr; }

 private:
  config::Config Discover(bool keep, ConfigErrors& errors);

  const std::string named_;
  const std::string builtin_rules_;
  FileSystem& files_;
  const Clock& clock_;
  std::string path_;
  std::optional<config::Discovery> found_;
};

// Says in the log what was found, what may not be read, and how to grant it.
void LogDiscovery(const config::Discovery& found, const std::string& path);

}  // namespace tocsin::app
