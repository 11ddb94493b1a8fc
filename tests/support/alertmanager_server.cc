#include "tests/support/alertmanager_server.h"

#include <fstream>

namespace tocsin::testing {

Result<std::unique_ptr<AlertmanagerServer>> AlertmanagerServer::Start(
    const std::string& config, const std::vector<std::string>& flags) {
  std::unique_ptr<AlertmanagerServer> server(new AlertmanagerServer);
  std::ofstream(server->folder_.File("alertmanager.yml")) << config;
  ProcessOptions options;
  options.argv = {"prometheus-alertmanager",
                  "--config.file=" + server->folder_.File("alertmanager.yml"),
                  "--storage.path=" + server->folder_.File("data"),
                  "--web.listen-address=127.0.0.1:" + std::to_string(server->port_),
                  "--cluster.listen-address="};
  options.argv.insert(options.argv.end(), flags.begin(), flags.end());
  options.output = server->folder_.File("log");
  TOCSIN_ASSIGN_OR_RETURN(server->process_, ChildProcess::Start(options));
  if (!server->process_->WaitForOutput("Listening on")) {
    return Error{ErrorCode::kUnavailable, "prometheus-alertmanager: " + server->process_->Output()};
  }
  return server;
}

std::string AlertmanagerServer::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

}  // namespace tocsin::testing
