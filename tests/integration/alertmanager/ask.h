#pragma once

// A request to an Alertmanager, real or ours, and Tocsin with an alertmanager.yml.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "daemon/base/http_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/process.h"

namespace tocsin::testing {

class Asker {
 public:
  HttpResponse Ask(const std::string& method, const std::string& url, const std::string& body = "",
                   const std::string& type = "application/json") {
    HttpRequest request;
    request.method = method;
    request.url = url;
    request.body = body;
    if (!body.empty() && !type.empty()) request.headers.emplace_back("Content-Type", type);
    const HttpExchange exchange =
        Fetch(client_, std::move(request), clock_.SteadyNow() + std::chrono::seconds(10));
    return exchange.response;
  }
  nlohmann::json Json(const std::string& url) {
    return nlohmann::json::parse(Ask("GET", url).body, nullptr, false);
  }

 private:
  SystemClock clock_;
  CurlHttpClient client_{clock_};
};

// Tocsin that polls nothing and notifies as `alertmanager_yml` says; `more` are further
// lines of its own configuration.
class AlertmanagerInTocsin {
 public:
  explicit AlertmanagerInTocsin(const std::string& alertmanager_yml, const std::string& more = "") {
    std::ofstream(folder_.File("alertmanager.yml")) << alertmanager_yml;
    auto started = DaemonProcess::Start("rules: []\nalerting: " + folder_.File("alertmanager.yml") +
                                        "\n" + more);
    EXPECT_TRUE(started.ok()) << started.error().message;
    if (started.ok()) daemon_ = *std::move(started);
  }

  bool ok() const { return daemon_ != nullptr; }
  DaemonProcess& daemon() { return *daemon_; }
  std::string Url(const std::string& path) const { return daemon_->Url(path); }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace tocsin::testing
