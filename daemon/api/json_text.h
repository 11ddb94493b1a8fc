#pragma once

// Prometheus' answer format, written as text: {"status":"success","data":…} and
// {"status":"error","errorType":…}. Big answers are appended to one string, so
// that 100,000 series cost no tree in between. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/http_message.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"

namespace tocsin::api {

void AppendJsonString(std::string_view text, std::string& out);
void AppendJsonStrings(const std::vector<std::string>& texts, std::string& out);
void AppendJsonNumber(double value, std::string& out);  // A JSON number; NaN becomes null.
void AppendJsonLabels(const model::Labels& labels, std::string& out);  // {"a":"b"}
// [1435781451.781,"1.5"]
void AppendJsonSample(std::int64_t time_ms, double value, std::string& out);
// The same of a scalar, whose value never has an exponent.
void AppendJsonScalar(std::int64_t time_ms, double value, std::string& out);
// "2026-11-23T06:36:12.667Z"; Go's zero time for WallTime().
void AppendJsonTime(WallTime time, std::string& out);

// `data` is JSON text. Warnings and infos are left out when empty.
Response Success(std::string data, const std::vector<std::string>& warnings = {},
                 const std::vector<std::string>& infos = {});

// Prometheus' error types with their status codes.
enum class ErrorType {
  kBadData,
  kExecution,
  kTimeout,
  kCanceled,
  kInternal,
  kNotFound,
  kUnavailable
};
Response Failure(ErrorType type, std::string_view message);
// The type that fits an error of a query's evaluation.
Response EvaluationFailure(const Error& error);
// `invalid parameter "step": …`.
Response InvalidParameter(std::string_view name, std::string_view message);

}  // namespace tocsin::api
