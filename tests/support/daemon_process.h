#pragma once

// The daemon as its users have it: the built program with a configuration file, its
// folder, its API. Not thread-safe.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/http_client.h"
#include "daemon/base/result.h"
#include "daemon/model/sample.h"
#include "tests/support/process.h"

namespace tocsin::testing {

class DaemonProcess {
 public:
  // Writes `config` (without `listen` and `storage`, which are added) and starts the
  // program, behind the words of `wrapper` if there are any ("unshare", "-m", …).
  // Errors: kUnavailable with its output if its API is not ready in time.
  static Result<std::unique_ptr<DaemonProcess>> Start(std::string config,
                                                      std::vector<std::string> wrapper = {});
  ~DaemonProcess();

  // Replaces the configuration file; the daemon reads it at the next reload or start.
  void WriteConfig(std::string config);
  // Ends it with kill -9 and starts it again on the same folder.
  Result<> KillAndStart();
  Result<> StartAgain();
  // The two steps of it: ends it with kill -9; starts it and does not wait for it.
  void Kill();
  Result<> Spawn();

  ChildProcess& process() { return *process_; }
  std::string Output() const { return process_->Output(); }
  const std::string& folder() const { return folder_->path(); }
  int port() const { return port_; }
  std::string Url(const std::string& path) const;

  HttpResponse Get(const std::string& path, const std::string& method = "GET");
  HttpResponse Post(const std::string& path, std::string body,
                    std::vector<std::pair<std::string, std::string>> headers = {});
  // Sends `request`, whose URL is a path.
  HttpResponse Ask(HttpRequest request);

  // The value of an instant query's only series; nothing for none or several.
  std::optional<double> Query(const std::string& expression);
  bool WaitForValue(const std::string& expression, double value,
                    Millis limit = std::chrono::seconds(20));

  // The samples that a range selector gives ("up{job=\"redis\"}[30s]"), each series apart.
  std::vector<std::vector<model::Sample>> Samples(const std::string& range_selector);

  struct Target {
    std::string health;
    std::string last_error;
    double duration_seconds = 0;
    std::string notes;
  };
  // By name, from /api/v1/targets; nothing if there is no such target.
  std::optional<Target> FindTarget(const std::string& name);
  bool WaitForHealth(const std::string& target, const std::string& health,
                     Millis limit = std::chrono::seconds(20));

  // "pending", "firing" or nothing.
  std::string AlertState(const std::string& alertname);
  bool WaitForAlert(const std::string& alertname, const std::string& state,
                    Millis limit = std::chrono::seconds(20));

 private:
  DaemonProcess();
  Result<> Launch();

  std::unique_ptr<TemporaryFolder> folder_;
  std::vector<std::string> wrapper_;
  int port_;
  int starts_ = 0;
  SystemClock clock_;
  CurlHttpClient client_;
  std::unique_ptr<ChildProcess> process_;
};

// The path of the built program.
std::string TocsinProgram();

// Runs it with these arguments to its end. Fails the test if it cannot be run.
FinishedProcess RunTocsin(std::vector<std::string> arguments);

}  // namespace tocsin::testing
