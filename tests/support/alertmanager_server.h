#pragma once

// A real Alertmanager on a free port, in a folder of its own, without a cluster.
// Not thread-safe.

#include <memory>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "tests/support/process.h"

namespace tocsin::testing {

class AlertmanagerServer {
 public:
  // `config` is the text of alertmanager.yml, `flags` are added to its command line.
  // Errors: kNotFound if it is not installed, kUnavailable with its output.
  static Result<std::unique_ptr<AlertmanagerServer>> Start(const std::string& config,
                                                           std::vector<std::string> flags = {});

  // "http://127.0.0.1:PORT" + path.
  std::string Url(const std::string& path) const;
  // Ends it with kill -9 and starts it again on the same folder.
  Result<> KillAndStart();

 private:
  AlertmanagerServer() : port_(FreePort()) {}
  Result<> Launch();

  TemporaryFolder folder_;
  int port_;
  int starts_ = 0;
  std::vector<std::string> flags_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace tocsin::testing
