#include "collectors/http/probe_config.h"

#include <re2/re2.h>

#include <algorithm>
#include <limits>

#include "daemon/base/http_config.h"
#include "daemon/base/text.h"
#include "daemon/model/labels.h"

namespace tocsin::collectors::http {
namespace {

constexpr std::int64_t kDefaultBodyLimitBytes = 10 << 20;

std::vector<Regex> ReadRegexes(ConfigReader& reader, std::string_view key) {
  std::vector<Regex> regexes;
  for (const std::string& pattern : reader.Strings(key)) {
    regexes.push_back(CompileRegex(reader, key, pattern));
  }
  return regexes;
}

std::vector<std::pair<std::string, Regex>> ReadHeaderRegexes(ConfigReader& reader,
                                                             std::string_view key) {
  std::vector<std::pair<std::string, Regex>> regexes;
  for (const auto& [name, pattern] : reader.StringMap(key)) {
    regexes.emplace_back(name, CompileRegex(reader, key, pattern));
  }
  return regexes;
}

// "200", or "2xx" for a hundred of them.
std::optional<StatusRange> ParseStatus(std::string_view text) {
  if (text.size() == 3 && (text.substr(1) == "xx" || text.substr(1) == "XX") && text[0] >= '1' &&
      text[0] <= '5') {
    const int hundred = (text[0] - '0') * 100;
    return StatusRange{hundred, hundred + 99};
  }
  const auto code = ParseInt(text);
  if (!code || *code < 100 || *code > 599) return std::nullopt;
  return StatusRange{static_cast<int>(*code), static_cast<int>(*code)};
}

void ReadStatuses(ConfigReader& expect, Expectations& expectations) {
  if (!expect.Has("status")) return;
  expectations.statuses.clear();
  for (const std::string& text : expect.Strings("status")) {
    if (const auto range = ParseStatus(text)) {
      expectations.statuses.push_back(*range);
    } else {
      expect.Fail("status", "\"" + text + "\" is no status: write 200 or 2xx");
    }
  }
}

bool IsPointer(const std::string& text) { return text.empty() || text[0] == '/'; }

JsonExpectation ReadJsonExpectation(ConfigReader& expect, const std::string& pointer,
                                    const std::string& text) {
  using Comparison = JsonExpectation::Comparison;
  struct Operator {
    std::string_view sign;
    Comparison comparison;
  };
  // Longer ones first.
  constexpr Operator kOperators[] = {
      {"==", Comparison::kEqual},       {"!=", Comparison::kNotEqual},
      {"<=", Comparison::kLessOrEqual}, {">=", Comparison::kGreaterOrEqual},
      {"=~", Comparison::kMatches},     {"!~", Comparison::kMatchesNot},
      {"<", Comparison::kLess},         {">", Comparison::kGreater}};
  JsonExpectation expectation{pointer, text, Comparison::kEqual, text, 0, nullptr};
  const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const Operator& one) { return text.starts_with(one.sign); });
  if (found == std::end(kOperators)) return expectation;
  expectation.comparison = found->comparison;
  expectation.operand = TrimSpace(std::string_view(text).substr(found->sign.size()));
  switch (found->comparison) {
    case Comparison::kEqual:
    case Comparison::kNotEqual: break;
    case Comparison::kMatches:
    case Comparison::kMatchesNot:
      expectation.regex = CompileRegex(expect, "json", expectation.operand);
      break;
    default: {
      const auto number = ParseDouble(expectation.operand);
      if (!number) expect.Fail("json", "\"" + text + "\" compares with no number");
      expectation.number = number.value_or(0);
    }
  }
  return expectation;
}

Expectations ReadExpectations(ConfigReader& reader) {
  ConfigReader expect = reader.Map("expect");
  Expectations expectations;
  ReadStatuses(expect, expectations);
  for (const std::string& text : expect.Strings("http_versions")) {
    const auto version = ParseDouble(text.starts_with("HTTP/") ? text.substr(5) : text);
    if (!version) expect.Fail("http_versions", "\"" + text + "\" is no version: write 1.1 or 2");
    expectations.http_versions.push_back(version.value_or(0));
  }
  expectations.tls =
      static_cast<TlsExpectation>(expect.Choice("tls", {"any", "required", "forbidden"}, 0));
  expectations.body = ReadRegexes(expect, "body_regex");
  expectations.body_not = ReadRegexes(expect, "body_not_regex");
  expectations.headers = ReadHeaderRegexes(expect, "headers");
  expectations.headers_if_present = ReadHeaderRegexes(expect, "headers_if_present");
  expectations.headers_not = ReadHeaderRegexes(expect, "headers_not");
  for (const auto& [pointer, text] : expect.StringMap("json")) {
    if (!IsPointer(pointer)) {
      expect.Fail("json", "\"" + pointer + "\" is no JSON pointer: it must begin with /");
    }
    expectations.json.push_back(ReadJsonExpectation(expect, pointer, text));
  }
  expect.Finish();
  return expectations;
}

std::string ReadPointer(ConfigReader& reader) {
  std::string pointer = reader.String("json");
  if (!IsPointer(pointer)) reader.Fail("json", "a JSON pointer must begin with /");
  return pointer;
}

NumberExtraction ReadNumber(ConfigReader& reader) {
  NumberExtraction number;
  number.metric = reader.RequiredString("metric");
  if (!number.metric.empty() && !model::IsPlainMetricName(number.metric)) {
    reader.Fail("metric", "\"" + number.metric + "\" is no metric name: letters, digits, _ and :");
  } else if (number.metric.starts_with("probe_") || number.metric.starts_with("tocsin_")) {
    reader.Fail("metric", "names with probe_ and tocsin_ are taken: choose another");
  }
  number.pointer = ReadPointer(reader);
  number.help = reader.String("help", "From the probed page, at " + number.pointer + ".");
  number.type = reader.Choice("type", {"gauge", "counter"}, 0) == 0 ? model::MetricType::kGauge
                                                                    : model::MetricType::kCounter;
  number.labels = reader.StringMap("labels");
  for (const auto& [name, value] : number.labels) {
    if (!model::IsPlainLabelName(name)) reader.Fail("labels", "\"" + name + "\" is no label name");
  }
  constexpr double kHuge = std::numeric_limits<double>::max();
  number.scale = reader.Number("scale", 1, -kHuge, kHuge);
  return number;
}

PoolExtraction ReadPool(ConfigReader& reader, const std::string& target_name) {
  PoolExtraction pool;
  pool.flavour = static_cast<PoolFlavour>(
      reader.Choice("pool", {"sqlalchemy", "hikaricp", "go_sql", "generic"}, 3));
  pool.pointer = ReadPointer(reader);
  pool.name = reader.String("name", target_name);
  constexpr double kMaxConnections = 1e9;
  if (reader.Has("capacity")) pool.capacity = reader.Number("capacity", 1, 1, kMaxConnections);
  if (reader.Has("max_overflow")) {
    if (pool.flavour != PoolFlavour::kSqlAlchemy) {
      reader.Fail("max_overflow", "only an sqlalchemy pool has an overflow: use capacity");
    }
    pool.max_overflow = reader.Number("max_overflow", 0, 0, kMaxConnections);
  }
  return pool;
}

void ReadExtractions(ConfigReader& reader, ProbeConfig& config) {
  const std::string target_name = reader.String("name");
  std::map<std::string, model::MetricType> types;
  for (ConfigReader& extraction : reader.Maps("extract")) {
    if (extraction.Has("pool") == extraction.Has("metric")) {
      extraction.Fail("metric", "an extraction has either metric or pool");
      continue;
    }
    if (extraction.Has("pool")) {
      config.pools.push_back(ReadPool(extraction, target_name));
    } else {
      NumberExtraction number = ReadNumber(extraction);
      const auto [known, is_new] = types.try_emplace(number.metric, number.type);
      if (!is_new && known->second != number.type) {
        extraction.Fail("type", "\"" + number.metric + "\" has another type above");
      }
      config.numbers.push_back(std::move(number));
    }
    extraction.Finish();
  }
}

void ReadBody(ConfigReader& reader, FileSystem& files, HttpRequest& request) {
  request.body = reader.String("body");
  const std::string path = reader.Path("body_file");
  if (path.empty()) return;
  if (!request.body.empty()) reader.Fail("body_file", "body and body_file exclude each other");
  auto body = files.Read(path);
  if (!body.ok()) reader.Fail("body_file", body.error().message);
  if (body.ok()) request.body = *std::move(body);
}

}  // namespace

Regex CompileRegex(ConfigReader& reader, std::string_view key, const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_shared<const re2::RE2>(pattern, options);
  if (regex->ok()) return regex;
  reader.Fail(key, "regular expression \"" + pattern + "\": " + regex->error());
  return nullptr;
}

int ReadRetries(ConfigReader& reader) {
  return static_cast<int>(reader.Int("retries", 0, 0, kMaxRetries));
}

ProbeConfig ParseProbeConfig(ConfigReader& reader, FileSystem& files) {
  ProbeConfig config;
  config.request = ReadHttpRequest(reader, files, /*follow_redirects=*/true);
  config.request.method = reader.String("method", "GET");
  const bool plain = std::all_of(config.request.method.begin(), config.request.method.end(),
                                 [](char c) { return c >= 'A' && c <= 'Z'; });
  if (config.request.method.empty() || !plain) {
    reader.Fail("method", "a method is written in capitals: GET, HEAD, POST, …");
  }
  ReadBody(reader, files, config.request);
  config.request.max_body_bytes = reader.Bytes("body_size_limit", kDefaultBodyLimitBytes);
  config.request.fresh_connection = true;
  constexpr const char* kEncodings[] = {"", "gzip", "deflate", "br"};
  config.request.accept_encoding =
      kEncodings[reader.Choice("compression", {"none", "gzip", "deflate", "br"}, 0)];
  config.retries = ReadRetries(reader);
  config.expect = ReadExpectations(reader);
  ReadExtractions(reader, config);
  return config;
}

}  // namespace tocsin::collectors::http
