#pragma once

// What is watched when there is no configuration file: the servers that a survey of
// this host found and that let us in, the host itself, and the shipped rules. The
// outcome is a configuration in the usual language, kept in a file of the state folder
// (kDiscoveredFile): a server that was found once stays a target, also when it is down
// at the next start, until somebody removes it from there.
//
// Each server is asked at most three times: as the user the daemon runs as, as "tocsin",
// and with the password that `tocsin setup` leaves in /etc/tocsin. One that is
// there but refuses is told with what would let us in, and asked again at the next
// reload only.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/result.h"
#include "daemon/config/survey.h"
#include "daemon/poll/poll_config.h"

namespace tocsin::config {

inline constexpr const char* kDiscoveredFile = "discovered.yaml";

struct DiscoveryOptions {
  SurveyPlaces places;
  // Where postgres.password, redis.password, … are looked for, the first wins.
  std::vector<std::string> password_folders = {"/etc/tocsin"};
  std::string user;     // The one this process runs as.
  std::string storage;  // The state folder: `storage.path` of what is written.
  // All of it ends by then; a server that was not asked in time is watched unasked.
  Millis limit{5000};
  Millis limit_per_server{1500};
};

struct DiscoveredServer {
  FoundServer found;
  bool watched = false;
  std::string target;          // Its entry in the configuration: "{ name: …, dsn: … }".
  std::optional<Error> error;  // Why it is not watched, or does not answer now.
  std::vector<collectors::Finding> findings;
};

struct Discovery {
  std::vector<DiscoveredServer> servers;
  std::vector<std::string> kept;      // Names of targets found before and not seen now.
  std::vector<std::string> left_out;  // See Survey; and passwords and targets of earlier outcomes.
  std::string yaml;                   // The configuration.
};

// Looks and asks. `before` is the text of an earlier outcome, or empty.
Discovery Discover(const DiscoveryOptions& options, const std::string& before, FileSystem& files,
                   const Clock& clock);

// The folder for state without a configuration: $STATE_DIRECTORY, /var/lib/tocsin if it
// can be used, else ~/.local/state/tocsin.
std::string DefaultStateFolder();

}  // namespace tocsin::config
