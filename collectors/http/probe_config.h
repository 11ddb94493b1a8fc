#pragma once

// What one http target is asked and what its answer must be. Made by ParseProbeConfig
// and then immutable; thread-safe to read.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/model/metric_batch.h"

namespace re2 {
class RE2;
}

namespace tocsin::collectors::http {

using Regex = std::shared_ptr<const re2::RE2>;

struct StatusRange {
  int first = 200;
  int last = 299;  // Inclusive.
};

enum class TlsExpectation { kAny, kRequired, kForbidden };

// What the JSON at a pointer must be: "up", or a comparison as PromQL writes it,
// "!= down", "<= 100", "=~ ^2".
struct JsonExpectation {
  enum class Comparison {
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kMatches,
    kMatchesNot,
  };
  std::string pointer;
  std::string text;  // As it was written.
  Comparison comparison = Comparison::kEqual;
  std::string operand;
  double number = 0;  // Of the operand, for an order.
  Regex regex;        // Of the operand, for a match.
};

struct Expectations {
  std::vector<StatusRange> statuses = {StatusRange{}};
  std::vector<double> http_versions;  // Empty: any.
  TlsExpectation tls = TlsExpectation::kAny;
  std::vector<Regex> body;
  std::vector<Regex> body_not;
  std::vector<std::pair<std::string, Regex>> headers;
  std::vector<std::pair<std::string, Regex>> headers_if_present;
  std::vector<std::pair<std::string, Regex>> headers_not;
  std::vector<JsonExpectation> json;
};

// A number out of a JSON answer.
struct NumberExtraction {
  std::string metric;
  std::string help;
  std::string pointer;
  model::MetricType type = model::MetricType::kGauge;
  std::vector<std::pair<std::string, std::string>> labels;
  double scale = 1;
};

enum class PoolFlavour { kSqlAlchemy, kHikariCp, kGoSql, kGeneric };

// An application's connection pool out of a JSON answer.
struct PoolExtraction {
  PoolFlavour flavour = PoolFlavour::kGeneric;
  std::string pointer;
  std::string name;                    // The label pool, unless the JSON names it.
  std::optional<double> capacity;      // Overrules what the JSON says.
  std::optional<double> max_overflow;  // SQLAlchemy's, where the JSON does not say it.
};

struct ProbeConfig {
  HttpRequest request;
  int retries = 0;  // Further attempts after a failed one.
  Expectations expect;
  std::vector<NumberExtraction> numbers;
  std::vector<PoolExtraction> pools;
};

// Attempts beyond the first, at most.
inline constexpr int kMaxRetries = 10;
int ReadRetries(ConfigReader& reader);

// Null, and an error of the reader's, if `pattern` is no regular expression.
Regex CompileRegex(ConfigReader& reader, std::string_view key, const std::string& pattern);

// Reads the kind's keys; what is wrong goes to the reader's errors.
ProbeConfig ParseProbeConfig(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::http
