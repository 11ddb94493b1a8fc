#pragma once

// Asks a running daemon's API, for the subcommands.

#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"

namespace CLI {
class App;
}

namespace tocsin::app {

// Which daemon, and how it is convinced to answer (the section `web` of its
// configuration). Credentials are in files, so that no list of processes shows them.
struct DaemonAddress {
  std::string url = "http://127.0.0.1:9877";  // Or unix:/run/tocsin/tocsin.sock.
  std::string token_file;
  std::string user;
  std::string password_file;
  std::string ca_file;  // Of an https URL; empty: the system's.
};

// Adds --url, --token-file, --user, --password-file and --ca-file. `address` must
// outlive the parsing.
void AddAddressOptions(
    CLI::App& command, DaemonAddress& address,
    const std::string& url_help = "The daemon: http://…, https://… or unix:/path");

enum class AskBy {
  kGet,
  kPost,  // As a form: however long the parameters are.
};

// Returns the body of a 2xx answer.
// Errors: kUnavailable, kDeadlineExceeded; what reading a credential's file gives;
// kPermissionDenied for 401, kInvalidArgument with the daemon's own words for
// another status.
Result<std::string> AskDaemon(const DaemonAddress& address, const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& params,
                              AskBy by = AskBy::kGet);

// Sends `json` (no body if it is empty) with `method`, to change something; returns the
// body of a 2xx answer. Errors: as AskDaemon.
Result<std::string> ChangeThroughDaemon(const DaemonAddress& address, const std::string& method,
                                        const std::string& path, const std::string& json);

// Posts `body` with `headers` of its own; returns the body of a 2xx answer.
// Errors: as AskDaemon.
Result<std::string> PostToDaemon(const DaemonAddress& address, const std::string& path,
                                 std::vector<std::pair<std::string, std::string>> headers,
                                 std::string body);

}  // namespace tocsin::app
