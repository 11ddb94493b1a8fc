#include "collectors/http/expectations.h"

#include <re2/re2.h>

#include <algorithm>

#include "daemon/base/text.h"

namespace tocsin::collectors::http {
namespace {

std::string Quote(const std::string& text) { return "\"" + text + "\""; }

Judgement Failure(FailureReason reason, std::string explanation) {
  Judgement judgement;
  judgement.verdict.failure = reason;
  judgement.verdict.failed_by_regex =
      reason == FailureReason::kBody || reason == FailureReason::kHeader;
  judgement.explanation = std::move(explanation);
  return judgement;
}

bool StatusFits(int status, const Expectations& expect) {
  return std::any_of(expect.statuses.begin(), expect.statuses.end(), [&](const StatusRange& range) {
    return status >= range.first && status <= range.last;
  });
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool HasHeader(const HttpResponse& response, const std::string& name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& header) { return Lower(header.first) == Lower(name); });
}

// Whether any header of that name matches.
bool HeaderMatches(const HttpResponse& response, const std::string& name, const re2::RE2& regex) {
  return std::any_of(response.headers.begin(), response.headers.end(), [&](const auto& header) {
    return Lower(header.first) == Lower(name) && re2::RE2::PartialMatch(header.second, regex);
  });
}

bool JsonEquals(const JsonValue& value, const std::string& expected) {
  const auto actual = value.Scalar();
  if (!actual) return false;
  if (*actual == expected) return true;
  const auto number = value.Text() ? std::nullopt : value.Number();
  return number && number == ParseDouble(expected);
}

bool JsonFits(const JsonValue& value, const JsonExpectation& expected) {
  using Comparison = JsonExpectation::Comparison;
  const auto text = value.Scalar();
  const auto number = value.Number();
  switch (expected.comparison) {
    case Comparison::kEqual: return JsonEquals(value, expected.operand);
    case Comparison::kNotEqual: return !JsonEquals(value, expected.operand);
    case Comparison::kLess: return number && *number < expected.number;
    case Comparison::kLessOrEqual: return number && *number <= expected.number;
    case Comparison::kGreater: return number && *number > expected.number;
    case Comparison::kGreaterOrEqual: return number && *number >= expected.number;
    case Comparison::kMatches: return text && re2::RE2::PartialMatch(*text, *expected.regex);
    case Comparison::kMatchesNot: return text && !re2::RE2::PartialMatch(*text, *expected.regex);
  }
  return false;
}

std::optional<Judgement> JudgeHeaders(const HttpResponse& response, const Expectations& expect) {
  for (const auto& [name, regex] : expect.headers) {
    if (!HeaderMatches(response, name, *regex)) {
      return Failure(FailureReason::kHeader,
                     "no header " + name + " matches " + Quote(regex->pattern()));
    }
  }
  for (const auto& [name, regex] : expect.headers_if_present) {
    if (HasHeader(response, name) && !HeaderMatches(response, name, *regex)) {
      return Failure(FailureReason::kHeader,
                     "header " + name + " does not match " + Quote(regex->pattern()));
    }
  }
  for (const auto& [name, regex] : expect.headers_not) {
    if (HeaderMatches(response, name, *regex)) {
      return Failure(FailureReason::kHeader, "header " + name + " matches " +
                                                 Quote(regex->pattern()) + ", which it must not");
    }
  }
  return std::nullopt;
}

std::optional<Judgement> JudgeBody(const std::string& bytes, const Expectations& expect) {
  if (expect.body.empty() && expect.body_not.empty()) return std::nullopt;
  const std::string body = ValidUtf8(bytes);  // Else no regular expression reads past it.
  for (const Regex& regex : expect.body) {
    if (!re2::RE2::PartialMatch(body, *regex)) {
      return Failure(FailureReason::kBody, "the body does not match " + Quote(regex->pattern()));
    }
  }
  for (const Regex& regex : expect.body_not) {
    if (re2::RE2::PartialMatch(body, *regex)) {
      return Failure(FailureReason::kBody,
                     "the body matches " + Quote(regex->pattern()) + ", which it must not");
    }
  }
  return std::nullopt;
}

std::optional<Judgement> JudgeJson(const std::optional<JsonDocument>& json,
                                   const Expectations& expect) {
  if (expect.json.empty()) return std::nullopt;
  if (!json) return Failure(FailureReason::kJson, "the body is no JSON");
  for (const JsonExpectation& expected : expect.json) {
    const auto value = json->root().At(expected.pointer);
    if (!value || !JsonFits(*value, expected)) {
      return Failure(FailureReason::kJson, "the JSON at " + Quote(expected.pointer) +
                                               (value ? " is not " : " is not there, let alone ") +
                                               Quote(expected.text));
    }
  }
  return std::nullopt;
}

Judgement JudgeAnswer(const HttpResponse& response, const std::optional<JsonDocument>& json,
                      const Expectations& expect) {
  if (!StatusFits(response.status, expect)) {
    return Failure(FailureReason::kStatus,
                   "status " + std::to_string(response.status) + " is not expected");
  }
  const auto& versions = expect.http_versions;
  if (!versions.empty() &&
      std::find(versions.begin(), versions.end(), response.version) == versions.end()) {
    return Failure(FailureReason::kHttpVersion,
                   "HTTP/" + FormatDouble(response.version) + " is not expected");
  }
  const bool has_tls = static_cast<bool>(response.tls);
  if (expect.tls == TlsExpectation::kRequired && !has_tls) {
    return Failure(FailureReason::kTlsExpected, "the answer came without TLS");
  }
  if (expect.tls == TlsExpectation::kForbidden && has_tls) {
    return Failure(FailureReason::kTlsExpected, "the answer came over TLS");
  }
  if (auto judgement = JudgeHeaders(response, expect)) return *std::move(judgement);
  if (auto judgement = JudgeBody(response.body, expect)) return *std::move(judgement);
  if (auto judgement = JudgeJson(json, expect)) return *std::move(judgement);
  return {};
}

}  // namespace

Judgement Judge(const HttpExchange& exchange, const std::optional<JsonDocument>& json,
                const Expectations& expect) {
  Judgement judgement = exchange.error ? Failure(ReasonOf(exchange), exchange.error->message)
                                       : JudgeAnswer(exchange.response, json, expect);
  if (!expect.json.empty()) {
    judgement.verdict.failed_by_json = judgement.verdict.failure == FailureReason::kJson;
  }
  return judgement;
}

}  // namespace tocsin::collectors::http
