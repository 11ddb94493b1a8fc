#include "tests/support/daemon_process.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "daemon/base/text.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kStartLimit{20};
constexpr std::chrono::seconds kAskLimit{5};

json Data(const HttpResponse& response) {
  const json answer = json::parse(response.body, nullptr, false);
  return answer.is_object() && answer.contains("data") ? answer["data"] : json::object();
}

}  // namespace

std::string TocsinProgram() { return TOCSIN_BINARY_DIR "/tocsin"; }

FinishedProcess RunTocsin(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), TocsinProgram());
  auto finished = RunProcess({.argv = std::move(arguments)});
  EXPECT_TRUE(finished.ok()) << finished.error().message;
  return finished.ok() ? *std::move(finished) : FinishedProcess{};
}

DaemonProcess::DaemonProcess()
    : folder_(std::make_unique<TemporaryFolder>()), port_(FreePort()), client_(clock_) {}

DaemonProcess::~DaemonProcess() {
  if (process_) process_->Stop();
}

Result<std::unique_ptr<DaemonProcess>> DaemonProcess::Start(std::string config,
                                                            std::vector<std::string> wrapper) {
  std::unique_ptr<DaemonProcess> daemon(new DaemonProcess());
  daemon->wrapper_ = std::move(wrapper);
  daemon->WriteConfig(std::move(config));
  TOCSIN_RETURN_IF_ERROR(daemon->Launch());
  return daemon;
}

void DaemonProcess::WriteConfig(std::string config) {
  config += "\nlisten: 127.0.0.1:" + std::to_string(port_) + "\nstorage: { path: " + folder() +
            "/data }\n";
  PosixFileSystem files;
  TOCSIN_CHECK(files.WriteAtomically(folder_->File("tocsin.yaml"), config).ok());
}

Result<> DaemonProcess::Spawn() {
  ProcessOptions options;
  options.argv = wrapper_;
  for (const std::string& word : {TocsinProgram(), std::string("run"), std::string("--config"),
                                  folder_->File("tocsin.yaml")}) {
    options.argv.push_back(word);
  }
  options.output = folder_->File("tocsin.out." + std::to_string(++starts_));
  TOCSIN_ASSIGN_OR_RETURN(process_, ChildProcess::Start(options));
  return Result<>();
}

Result<> DaemonProcess::Launch() {
  TOCSIN_RETURN_IF_ERROR(Spawn());
  WaitUntil([&] { return !process_->Running() || Get("/-/ready").status == 200; }, kStartLimit);
  if (!process_->Running() || Get("/-/ready").status != 200) {
    return Error{ErrorCode::kUnavailable, "tocsin did not start:\n" + Output()};
  }
  return Result<>();
}

void DaemonProcess::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

Result<> DaemonProcess::KillAndStart() {
  Kill();
  return Launch();
}

Result<> DaemonProcess::StartAgain() { return Launch(); }

std::string DaemonProcess::Url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

HttpResponse DaemonProcess::Get(const std::string& path, const std::string& method) {
  HttpRequest request;
  request.method = method;
  request.url = path;
  return Ask(std::move(request));
}

HttpResponse DaemonProcess::Post(const std::string& path, std::string body,
                                 std::vector<std::pair<std::string, std::string>> headers) {
  HttpRequest request;
  request.method = "POST";
  request.url = path;
  request.body = std::move(body);
  request.headers = std::move(headers);
  return Ask(std::move(request));
}

HttpResponse DaemonProcess::Ask(HttpRequest request) {
  request.url = Url(request.url);
  return Fetch(client_, std::move(request), clock_.SteadyNow() + kAskLimit).response;
}

std::optional<double> DaemonProcess::Query(const std::string& expression) {
  const json data = Data(Get("/api/v1/query?query=" + PercentEncode(expression)));
  const json result = data.value("result", json::array());
  if (data.value("resultType", "") == "scalar") return ParseDouble(result[1].get<std::string>());
  if (result.size() != 1) return std::nullopt;
  return ParseDouble(result[0]["value"][1].get<std::string>());
}

bool DaemonProcess::WaitForValue(const std::string& expression, double value, Millis limit) {
  return WaitUntil([&] { return Query(expression) == value; }, limit);
}

std::vector<std::vector<model::Sample>> DaemonProcess::Samples(const std::string& range_selector) {
  const json data = Data(Get("/api/v1/query?query=" + PercentEncode(range_selector)));
  std::vector<std::vector<model::Sample>> series;
  for (const json& found : data.value("result", json::array())) {
    auto& samples = series.emplace_back();
    for (const json& value : found["values"]) {
      samples.push_back({static_cast<std::int64_t>(std::llround(value[0].get<double>() * 1000)),
                         ParseDouble(value[1].get<std::string>()).value_or(0)});
    }
  }
  return series;
}

std::optional<DaemonProcess::Target> DaemonProcess::FindTarget(const std::string& name) {
  for (const json& target : Data(Get("/api/v1/targets")).value("activeTargets", json::array())) {
    const std::string pool = target["scrapePool"];
    if (!pool.ends_with("/" + name)) continue;
    return Target{target["health"], target["lastError"], target["lastScrapeDuration"],
                  target["notes"].dump()};
  }
  return std::nullopt;
}

bool DaemonProcess::WaitForHealth(const std::string& name, const std::string& health,
                                  Millis limit) {
  return WaitUntil(
      [&] {
        const auto target = FindTarget(name);
        return target && target->health == health;
      },
      limit);
}

std::string DaemonProcess::AlertState(const std::string& alertname) {
  for (const json& alert : Data(Get("/api/v1/alerts")).value("alerts", json::array())) {
    if (alert["labels"].value("alertname", "") == alertname) return alert["state"];
  }
  return "";
}

bool DaemonProcess::WaitForAlert(const std::string& alertname, const std::string& state,
                                 Millis limit) {
  return WaitUntil([&] { return AlertState(alertname) == state; }, limit);
}

}  // namespace tocsin::testing
