#include "tests/demo/web.h"

#include <httplib.h>

#include <nlohmann/json.hpp>

#include "daemon/base/text.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

httplib::Client Client(int port, std::chrono::milliseconds limit) {
  httplib::Client client("127.0.0.1", port);
  client.set_connection_timeout(limit);
  client.set_read_timeout(limit);
  client.set_tcp_nodelay(true);
  return client;
}

Result<WebAnswer> Taken(const httplib::Result& result, const std::string& path,
                        std::chrono::steady_clock::time_point begin) {
  if (!result) {
    return Error{ErrorCode::kUnavailable, path + ": " + httplib::to_string(result.error())};
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return WebAnswer{result->status, result->body, taken.count()};
}

// The `data` of an answer of Prometheus' API.
Result<json> Data(int port, const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(const auto answer, WebGet(port, path));
  json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || !body.contains("status")) {
    return Error{ErrorCode::kCorruption, path + ": answered no JSON of Prometheus' API"};
  }
  if (body["status"] != "success") {
    return Error{ErrorCode::kInvalidArgument, path + ": " + body.value("error", "refused")};
  }
  return body["data"];
}

double Number(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return 0;
  return ParseDouble(value.get<std::string>()).value_or(0);
}

std::map<std::string, std::string> LabelMap(const json& object) {
  std::map<std::string, std::string> labels;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) labels[name] = value.get<std::string>();
  }
  return labels;
}

template <class T, class Read>
Result<T> Reading(const Result<json>& data, Read read) {
  if (!data.ok()) return data.error();
  try {
    return read(*data);
  } catch (const std::exception& error) {
    return Error{ErrorCode::kCorruption, error.what()};
  }
}

}  // namespace

Result<WebAnswer> WebGet(int port, const std::string& path, std::chrono::milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  return Taken(Client(port, limit).Get(path), path, begin);
}

Result<WebAnswer> WebPost(int port, const std::string& path, std::chrono::milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  return Taken(Client(port, limit).Post(path), path, begin);
}

std::string SeenAlert::Label(const std::string& name) const {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

bool PrometheusApi::Ready() const {
  const auto answer = WebGet(port_, "/-/ready", std::chrono::seconds(1));
  return answer.ok() && answer->status == 200;
}

Result<std::vector<SeenAlert>> PrometheusApi::Alerts() const {
  return Reading<std::vector<SeenAlert>>(Data(port_, "/api/v1/alerts"), [](const json& data) {
    std::vector<SeenAlert> alerts;
    for (const auto& alert : data.at("alerts")) {
      alerts.push_back({.labels = LabelMap(alert.at("labels")),
                        .state = alert.at("state"),
                        .value = Number(alert.at("value")),
                        .active_at = alert.value("activeAt", "")});
    }
    return alerts;
  });
}

Result<std::vector<SeenTarget>> PrometheusApi::Targets() const {
  return Reading<std::vector<SeenTarget>>(Data(port_, "/api/v1/targets"), [](const json& data) {
    std::vector<SeenTarget> targets;
    for (const auto& target : data.at("activeTargets")) {
      const auto& labels = target.at("labels");
      targets.push_back({.job = labels.value("job", ""),
                         .instance = labels.value("instance", ""),
                         .health = target.value("health", "unknown"),
                         .error = target.value("lastError", "")});
    }
    return targets;
  });
}

Result<std::vector<SeenSample>> PrometheusApi::Query(const std::string& expression) const {
  const std::string path = "/api/v1/query?query=" + httplib::detail::encode_query_param(expression);
  return Reading<std::vector<SeenSample>>(Data(port_, path), [](const json& data) {
    std::vector<SeenSample> samples;
    if (data.at("resultType") == "scalar") {
      samples.push_back({.labels = {}, .value = Number(data.at("result").at(1))});
      return samples;
    }
    for (const auto& element : data.at("result")) {
      samples.push_back(
          {.labels = LabelMap(element.at("metric")), .value = Number(element.at("value").at(1))});
    }
    return samples;
  });
}

}  // namespace tocsin::demo
