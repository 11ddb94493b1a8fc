#include "tests/support/alertmanager_server.h"

#include <fstream>
#include <utility>

namespace tocsin::testing {

Result<std::unique_ptr<AlertmanagerServer>> AlertmanagerServer::Start(
    const std::string& config, std::vector<std::string> flags) {
  std::unique_ptr<AlertmanagerServer> server(new AlertmanagerServer);
  std::ofstream(server->folder_.File("alertmanager.yml")) << config;
  server->flags_ = std::move(flags);
  TOCSIN_RETURN_IF_ERROR(server->Launch());
  return server;
}

Result<> AlertmanagerServer::Launch() {
  ProcessOptions options;
  options.argv = {"prometheus-alertmanager", "--config.file=" + folder_.File("alertmanager.yml"),
                  "--storage.path=" + folder_.File("data"),
                  "--web.listen-address=127.0.0.1:" + std::to_string(port_),
                  "--cluster.listen-address="};
  options.argv.insert(options.argv.end(), flags_.begin(), flags_.end());
  options.output = folder_.File("log." + std::to_string(++starts_));
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(options));
  if (!process_->WaitForOutput("Listening on")) {
    return Error{ErrorCode::kUnavailable, "prometheus-alertmanager: " + process_->Output()};
  }
  return {};
}

Result<> AlertmanagerServer::KillAndStart() {
  process_->Signal(SIGKILL);
  process_->Wait();
  return Launch();
}

std::string AlertmanagerServer::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

}  // namespace tocsin::testing
