#include "daemon/formats/template_functions.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "daemon/base/host_port.h"
#include "daemon/base/text.h"
#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/letter_case.h"

namespace tocsin::formats {
namespace {

using Kind = GoValue::Kind;
using Args = std::span<const GoValue>;

Error Bad(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// Four significant digits, as Go's %.4g.
std::string Digits(double value) {
  const std::array<GoValue, 1> args = {GoValue::Float(value)};
  return GoSprintf("%.4g", args);
}

constexpr std::array<std::string_view, 8> kLarge = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 8> kSmall = {"m", "u", "n", "p", "f", "a", "z", "y"};
constexpr std::array<std::string_view, 8> kBinary = {"ki", "Mi", "Gi", "Ti",
                                                     "Pi", "Ei", "Zi", "Yi"};

std::pair<double, std::string_view> ScaleDown(double value,
                                              const std::array<std::string_view, 8>& prefixes,
                                              double step) {
  std::string_view used;
  for (const auto prefix : prefixes) {
    if (std::fabs(value) < step) break;
    used = prefix;
    value /= step;
  }
  return {value, used};
}

std::pair<double, std::string_view> ScaleUp(double value) {
  std::string_view used;
  for (const auto prefix : kSmall) {
    if (std::fabs(value) >= 1) break;
    used = prefix;
    value *= 1000;
  }
  return {value, used};
}

Result<std::unique_ptr<RE2>> Compile(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    return Bad(fmt::format("error parsing regexp: {}", regex->error()));
  }
  return regex;
}

bool IsWord(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The group that `$name` of a replacement means; an unknown one is empty.
re2::StringPiece GroupOf(const RE2& regex, std::string_view name,
                         std::span<const re2::StringPiece> groups) {
  std::optional<std::int64_t> index = ParseInt(name);
  if (!index) {
    const auto& named = regex.NamedCapturingGroups();
    const auto found = named.find(std::string(name));
    if (found != named.end()) index = found->second;
  }
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= groups.size()) return {};
  return groups[static_cast<std::size_t>(*index)];
}

// Go's Expand: $name takes as many word characters as follow, ${name} is exact,
// $$ is one dollar.
void Expand(const RE2& regex, std::string_view replacement,
            std::span<const re2::StringPiece> groups, std::string& out) {
  while (!replacement.empty()) {
    const auto dollar = replacement.find('$');
    out += replacement.substr(0, dollar);
    if (dollar == std::string_view::npos) return;
    replacement.remove_prefix(dollar + 1);
    if (replacement.substr(0, 1) == "$") {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braces = replacement.substr(0, 1) == "{";
    std::size_t end = braces ? 1 : 0;
    while (end < replacement.size() && IsWord(replacement[end])) ++end;
    const std::string_view name = replacement.substr(braces ? 1 : 0, end - (braces ? 1 : 0));
    if (name.empty() || (braces && replacement.substr(end, 1) != "}")) {
      out += '$';
      continue;
    }
    const auto group = GroupOf(regex, name, groups);
    out.append(group.data(), group.size());
    replacement.remove_prefix(end + (braces ? 1 : 0));
  }
}

std::string StripPort(const std::string& host_port) {
  const auto parts = SplitHostPort(host_port);
  return parts && parts->port ? std::string(parts->host) : host_port;
}

std::string StripDomain(const std::string& host_port) {
  const auto parts = SplitHostPort(host_port);
  const bool has_port = parts && parts->port;
  const std::string host(has_port ? parts->host : std::string_view(host_port));
  if (IsIpAddress(host)) return host_port;
  const std::string name = host.substr(0, host.find('.'));
  return has_port && !parts->port->empty() ? name + ":" + std::string(*parts->port) : name;
}

Result<WallTime> ToTime(double seconds) {
  // What milliseconds in 64 bits can hold, with a margin.
  constexpr double kMaxSeconds = 9e15;
  if (!(std::fabs(seconds) <= kMaxSeconds)) {
    return Bad(
        fmt::format("{} cannot be represented as a nanoseconds timestamp", GoFloatText(seconds)));
  }
  return FromUnixMillis(std::llround(seconds * 1000));
}

using Call = std::function<Result<GoValue>(Args)>;

GoFunction OfAny(Call call) { return {{GoType::kAny}, false, std::move(call)}; }

GoFunction OfNumber(std::string (*text)(double)) {
  return OfAny([text](Args a) -> Result<GoValue> {
    TOCSIN_ASSIGN_OR_RETURN(const double value, ToNumber(a[0]));
    return GoValue::String(text(value));
  });
}

template <class F>
GoFunction OfString(F text) {
  return {{GoType::kString}, false, [text](Args a) -> Result<GoValue> {
            return GoValue::String(text(a[0].AsString()));
          }};
}

void AddNumberFunctions(GoFunctions& out) {
  out["humanize"] = OfNumber(Humanize);
  out["humanize1024"] = OfNumber(Humanize1024);
  out["humanizeDuration"] = OfNumber(HumanizeDuration);
  out["humanizePercentage"] = OfNumber(HumanizePercentage);
  out["humanizeTimestamp"] = OfAny([](Args a) -> Result<GoValue> {
    TOCSIN_ASSIGN_OR_RETURN(const double value, ToNumber(a[0]));
    if (std::isnan(value) || std::isinf(value)) return GoValue::String(Digits(value));
    TOCSIN_ASSIGN_OR_RETURN(const WallTime time, ToTime(value));
    return GoValue::String(GoValue::Time(time).Text());
  });
  out["toTime"] = OfAny([](Args a) -> Result<GoValue> {
    TOCSIN_ASSIGN_OR_RETURN(const double value, ToNumber(a[0]));
    TOCSIN_ASSIGN_OR_RETURN(const WallTime time, ToTime(value));
    return GoValue::Time(time);
  });
  out["toDuration"] = OfAny([](Args a) -> Result<GoValue> {
    TOCSIN_ASSIGN_OR_RETURN(const double value, ToNumber(a[0]));
    constexpr double kMaxSeconds = 9.2e9;  // What nanoseconds in 64 bits can hold.
    if (!(std::fabs(value) <= kMaxSeconds)) {
      return Bad(GoFloatText(value) + " cannot be represented as a duration");
    }
    return GoValue::Duration(std::chrono::nanoseconds(std::llround(value * 1e9)));
  });
  out["parseDuration"] = {{GoType::kString}, false, [](Args a) -> Result<GoValue> {
                            TOCSIN_ASSIGN_OR_RETURN(const Millis duration,
                                                    ParseDuration(a[0].AsString()));
                            return GoValue::Float(ToSeconds(duration));
                          }};
}

void AddTextFunctions(GoFunctions& out) {
  out["toUpper"] = OfString(UpperCase);
  out["toLower"] = OfString(LowerCase);
  out["title"] = OfString([](const std::string& text) { return TitleCase(text); });
  out["stripPort"] = OfString(StripPort);
  out["stripDomain"] = OfString(StripDomain);
  out["safeHtml"] = {{GoType::kString}, false, [](Args a) -> Result<GoValue> {
                       return GoValue::String(a[0].AsString()).AsHtml();
                     }};
  out["urlQueryEscape"] = OfString([](const std::string& text) { return UrlQueryEscape(text); });
  out["match"] = {{GoType::kString, GoType::kString}, false, [](Args a) -> Result<GoValue> {
                    TOCSIN_ASSIGN_OR_RETURN(const auto regex, Compile(a[0].AsString()));
                    return GoValue::Bool(RE2::PartialMatch(a[1].AsString(), *regex));
                  }};
  out["reReplaceAll"] = {
      {GoType::kString, GoType::kString, GoType::kString}, false, [](Args a) -> Result<GoValue> {
        TOCSIN_ASSIGN_OR_RETURN(auto text,
                                ReplaceAllRegex(a[0].AsString(), a[1].AsString(), a[2].AsString()));
        return GoValue::String(std::move(text));
      }};
}

}  // namespace

GoFunctions CommonTemplateFunctions() {
  GoFunctions out;
  AddNumberFunctions(out);
  AddTextFunctions(out);
  return out;
}

std::string Humanize(double value) {
  if (value == 0 || std::isnan(value) || std::isinf(value)) return Digits(value);
  const auto [scaled, prefix] =
      std::fabs(value) >= 1 ? ScaleDown(value, kLarge, 1000) : ScaleUp(value);
  return Digits(scaled) + std::string(prefix);
}

std::string Humanize1024(double value) {
  if (std::fabs(value) <= 1 || std::isnan(value) || std::isinf(value)) return Digits(value);
  const auto [scaled, prefix] = ScaleDown(value, kBinary, 1024);
  return Digits(scaled) + std::string(prefix);
}

std::string HumanizeDuration(double seconds) {
  if (std::isnan(seconds) || std::isinf(seconds)) return Digits(seconds);
  if (seconds == 0) return "0s";
  if (std::fabs(seconds) < 1) {
    const auto [scaled, prefix] = ScaleUp(seconds);
    return Digits(scaled) + std::string(prefix) + "s";
  }
  const std::string sign = seconds < 0 ? "-" : "";
  const double magnitude = std::fabs(seconds);
  constexpr double kMaxWhole = 9e18;
  const auto whole = static_cast<std::int64_t>(std::min(magnitude, kMaxWhole));
  const std::int64_t days = whole / 86'400;
  const std::int64_t hours = whole / 3600 % 24;
  const std::int64_t minutes = whole / 60 % 60;
  if (days != 0) return fmt::format("{}{}d {}h {}m {}s", sign, days, hours, minutes, whole % 60);
  if (hours != 0) return fmt::format("{}{}h {}m {}s", sign, hours, minutes, whole % 60);
  if (minutes != 0) return fmt::format("{}{}m {}s", sign, minutes, whole % 60);
  return sign + Digits(magnitude) + "s";
}

std::string HumanizePercentage(double ratio) { return Digits(ratio * 100) + "%"; }

Result<std::string> ReplaceAllRegex(std::string_view pattern, std::string_view replacement,
                                    std::string_view text) {
  TOCSIN_ASSIGN_OR_RETURN(const auto regex, Compile(pattern));
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) +
                                       1);
  const re2::StringPiece whole(text.data(), text.size());
  std::string out;
  std::size_t search_from = 0;
  std::size_t taken = 0;  // The text up to here is in `out`.
  while (search_from <= text.size() &&
         regex->Match(whole, search_from, text.size(), RE2::UNANCHORED, groups.data(),
                      static_cast<int>(groups.size()))) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    out += text.substr(taken, begin - taken);
    // An empty match right behind the last match is not replaced, as in Go.
    if (end > taken || begin == 0) Expand(*regex, replacement, groups, out);
    taken = end;
    std::size_t next = search_from + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    search_from = std::max(next, end);
  }
  out += text.substr(taken);
  return out;
}

std::string TitleCase(std::string_view text) {
  std::string out;
  bool starts_word = true;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = 1;
    while (at + length < text.size() &&
           (static_cast<unsigned char>(text[at + length]) & 0xC0) == 0x80) {
      ++length;
    }
    const std::string rune(text.substr(at, length));
    out += starts_word ? UpperCase(rune) : rune;
    starts_word = length == 1 && !IsWord(rune[0]);
    at += length;
  }
  return out;
}

std::string UrlQueryEscape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '+';
    } else if (IsWord(c) || c == '-' || c == '.' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<double> ToNumber(const GoValue& value) {
  switch (value.kind()) {
    case Kind::kInt:
    case Kind::kFloat: return value.Number();
    case Kind::kDuration: return ToSeconds(value.AsDuration());
    case Kind::kString:
      if (const auto number = ParseDouble(value.AsString())) return *number;
      return Bad(
          fmt::format("strconv.ParseFloat: parsing {}: invalid syntax", GoQuote(value.AsString())));
    default: return Bad(fmt::format("can't convert {} to float", value.TypeName()));
  }
}

}  // namespace tocsin::formats
