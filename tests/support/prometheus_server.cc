#include "tests/support/prometheus_server.h"

#include <fstream>
#include <utility>

namespace tocsin::testing {

Result<std::unique_ptr<PrometheusServer>> PrometheusServer::Start(const std::string& config,
                                                                  std::vector<std::string> flags) {
  std::unique_ptr<PrometheusServer> server(new PrometheusServer);
  std::ofstream(server->folder_.File("prometheus.yml")) << config;
  server->flags_ = std::move(flags);
  TOCSIN_RETURN_IF_ERROR(server->Launch());
  return server;
}

Result<> PrometheusServer::Launch() {
  ProcessOptions options;
  options.argv = {"prometheus", "--config.file=" + folder_.File("prometheus.yml"),
                  "--storage.tsdb.path=" + folder_.File("data"),
                  "--web.listen-address=127.0.0.1:" + std::to_string(port_)};
  options.argv.insert(options.argv.end(), flags_.begin(), flags_.end());
  options.output = folder_.File("log." + std::to_string(++starts_));
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(options));
  if (!process_->WaitForOutput("Server is ready to receive web requests")) {
    return Error{ErrorCode::kUnavailable, "prometheus: " + process_->Output()};
  }
  return {};
}

Result<> PrometheusServer::KillAndStart() {
  process_->Signal(SIGKILL);
  process_->Wait();
  return Launch();
}

std::string PrometheusServer::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

}  // namespace tocsin::testing
