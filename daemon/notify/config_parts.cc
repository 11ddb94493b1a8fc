#include "daemon/notify/config_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/http_config.h"
#include "daemon/base/text.h"
#include "daemon/formats/letter_case.h"
#include "daemon/notify/matcher_text.h"

namespace tocsin::notify {
namespace {

void AddMatchers(std::string_view text, const ConfigNode& where, ConfigErrors& errors,
                 std::vector<model::Matcher>& out) {
  auto matchers = ParseMatchers(text);
  if (!matchers.ok()) {
    errors.Add(where, matchers.error().message);
    return;
  }
  for (model::Matcher& matcher : *matchers) out.push_back(std::move(matcher));
}

void AddPairs(ConfigReader& reader, std::string_view key, model::MatchOp op,
              std::vector<model::Matcher>& out) {
  for (auto& [name, value] : reader.StringMap(key)) {
    auto matcher = model::Matcher::Make(op, name, value);
    if (matcher.ok()) {
      out.push_back(*std::move(matcher));
    } else {
      reader.Fail(key, matcher.error().message);
    }
  }
}

// `authorization` (TYPE CREDENTIALS), or the older `bearer_token`.
void ReadAuthorization(ConfigReader& reader, FileSystem& files, HttpOptions& http) {
  http.authorization = reader.SecretValue("bearer_token", files);
  if (reader.Has("authorization")) {
    if (!http.authorization.empty()) {
      reader.Fail("authorization", "\"authorization\" and \"bearer_token\" are both set");
    }
    ConfigReader own = reader.Map("authorization");
    http.authorization_type = TrimSpace(own.String("type", http.authorization_type));
    if (formats::LowerCase(http.authorization_type) == "basic") {
      own.Fail("type", "authorization of type \"Basic\" has its own key, basic_auth");
    }
    http.authorization = own.SecretValue("credentials", files);
    own.Finish();
  }
  for (const std::string& part : {http.authorization_type, http.authorization.Reveal()}) {
    if (part.find_first_of("\r\n") == part.npos) continue;
    reader.Fail(reader.Has("authorization") ? "authorization" : "bearer_token",
                "a type and credentials must not contain a line break");
  }
}

}  // namespace

void CheckUrl(ConfigReader& reader, std::string_view key, const std::string& url) {
  if (url.empty()) return;
  const std::string_view view(url);
  const std::size_t scheme = view.starts_with("https://") ? 8 : view.starts_with("http://") ? 7 : 0;
  const bool has_host = scheme > 0 && view.size() > scheme &&
                        std::string_view("/?#: ").find(view[scheme]) == std::string_view::npos;
  const bool has_space = view.find_first_of(" \t\r\n") != std::string_view::npos;
  if (!has_host || has_space) {
    reader.Fail(key, "not a URL: expected http://HOST… or https://HOST…");
  }
}

std::vector<model::Matcher> ReadMatchers(ConfigReader& reader, std::string_view key,
                                         std::string_view match_key,
                                         std::string_view match_re_key) {
  std::vector<model::Matcher> matchers;
  AddPairs(reader, match_key, model::MatchOp::kEqual, matchers);
  AddPairs(reader, match_re_key, model::MatchOp::kRegex, matchers);
  const ConfigNode node = reader.Node(key);
  if (node.kind() == ConfigNode::Kind::kScalar) {
    AddMatchers(node.scalar(), node, reader.errors(), matchers);
  } else if (node.kind() == ConfigNode::Kind::kMap) {
    reader.Fail(key, "expected a list of matchers such as severity=\"critical\"");
  }
  for (const ConfigNode& item : node.items()) {
    AddMatchers(item.scalar(), item, reader.errors(), matchers);
  }
  std::stable_sort(matchers.begin(), matchers.end(), [](const auto& a, const auto& b) {
    return std::pair(a.name(), a.value()) < std::pair(b.name(), b.value());
  });
  return matchers;
}

HttpOptions ReadHttpOptions(ConfigReader reader, FileSystem& files, HttpOptions defaults) {
  if (reader.node().IsNull()) return defaults;
  HttpOptions http;
  if (reader.Has("basic_auth")) {
    ConfigReader basic = reader.Map("basic_auth");
    http.basic_auth_user = basic.RequiredString("username");
    http.basic_auth_password = basic.SecretValue("password", files);
    basic.Finish();
  }
  ReadAuthorization(reader, files, http);
  if (!http.basic_auth_user.empty() && !http.authorization.empty()) {
    reader.Fail("basic_auth", "at most one of basic_auth and an authorization may be set");
  }
  for (const std::string_view key : {"oauth2", "proxy_from_environment", "proxy_connect_header"}) {
    if (reader.Has(key)) reader.Fail(key, fmt::format("\"{}\" is not supported", key));
  }
  http.proxy_url = reader.String("proxy_url");
  CheckUrl(reader, "proxy_url", http.proxy_url);
  http.follow_redirects = reader.Bool("follow_redirects", true);
  reader.Bool("enable_http2", true);  // The client negotiates by itself.
  http.tls = ReadTls(reader.Map("tls_config"), files);
  reader.Finish();
  return http;
}

namespace {

template <class Parse>
std::vector<IntRange> ReadRanges(ConfigReader& reader, std::string_view key, Parse parse) {
  std::vector<IntRange> ranges;
  for (const std::string& text : reader.Strings(key)) {
    auto range = parse(text);
    if (range.ok()) {
      ranges.push_back(*range);
    } else {
      reader.Fail(key, range.error().message);
    }
  }
  return ranges;
}

std::vector<IntRange> ReadTimes(ConfigReader& reader) {
  std::vector<IntRange> ranges;
  for (ConfigReader& times : reader.Maps("times")) {
    const auto minutes = [&](std::string_view key) -> std::optional<int> {
      const std::string text = times.RequiredString(key);
      if (text.empty()) return std::nullopt;
      auto parsed = ParseTimeOfDay(text);
      if (parsed.ok()) return *parsed;
      times.Fail(key, parsed.error().message);
      return std::nullopt;
    };
    const auto start = minutes("start_time");
    const auto end = minutes("end_time");
    if (start && end && *start >= *end) {
      times.Fail("start_time",
                 "start_time must be before end_time (an interval that runs over "
                 "midnight is written as two)");
    } else if (start && end) {
      ranges.push_back({*start, *end});
    }
    times.Finish();
  }
  return ranges;
}

TimeInterval ReadTimeInterval(ConfigReader& reader) {
  TimeInterval interval;
  interval.minutes_of_day = ReadTimes(reader);
  interval.weekdays = ReadRanges(reader, "weekdays", ParseWeekdays);
  interval.days_of_month = ReadRanges(reader, "days_of_month", ParseDaysOfMonth);
  interval.months = ReadRanges(reader, "months", ParseMonths);
  interval.years = ReadRanges(reader, "years", ParseYears);
  interval.location = reader.String("location", "UTC");
  if (auto known = CheckLocation(interval.location); !known.ok()) {
    reader.Fail("location", known.error().message);
  }
  reader.Finish();
  return interval;
}

}  // namespace

std::vector<NamedTimeInterval> ReadTimeIntervals(ConfigReader& root, std::string_view key) {
  std::vector<NamedTimeInterval> all;
  for (ConfigReader& entry : root.Maps(key)) {
    NamedTimeInterval named;
    named.name = entry.RequiredString("name");
    for (ConfigReader& interval : entry.Maps("time_intervals")) {
      named.intervals.push_back(ReadTimeInterval(interval));
    }
    entry.Finish();
    const bool twice = std::any_of(all.begin(), all.end(),
                                   [&](const auto& other) { return other.name == named.name; });
    if (twice) entry.Fail("name", fmt::format("time interval \"{}\" is defined twice", named.name));
    all.push_back(std::move(named));
  }
  return all;
}

}  // namespace tocsin::notify
