#include "collectors/postgres/log_settings.h"

#include <algorithm>
#include <string_view>

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kRemedy =
    "set log_min_duration_statement = 0, or log_duration = on with log_statement = all, and reload";

constexpr std::string_view kDeciding[] = {"log_min_duration_statement", "log_duration",
                                          "log_statement", "log_min_messages", "lc_messages"};

bool IsZero(const std::string& duration) { return duration == "0"; }

bool IsEnglish(const std::string& locale) {
  return locale.empty() || locale == "C" || locale == "POSIX" || locale.starts_with("C.") ||
         locale.starts_with("en");
}

std::string WhyDurationsMiss(const LogSettings& settings) {
  const bool is_on = settings.log_duration == "on";
  if (is_on && settings.log_statement != "all") {
    return "log_duration = on with log_statement = " + settings.log_statement +
           " logs durations without telling statements from their parts";
  }
  if (!is_on && settings.log_min_duration_statement != "-1") {
    return "log_min_duration_statement = " + settings.log_min_duration_statement +
           " logs slow statements only";
  }
  return "the server does not log the duration of statements (log_min_duration_statement = " +
         settings.log_min_duration_statement + ", log_duration = " + settings.log_duration + ")";
}

Result<> JudgeOne(const LogSettings& settings) {
  const auto incomplete = [](std::string why, std::string_view remedy) {
    return Error{ErrorCode::kInvalidArgument, std::move(why) + ": " + std::string(remedy)};
  };
  const bool is_paired = settings.log_duration == "on" && settings.log_statement == "all";
  if (!IsZero(settings.log_min_duration_statement) && !is_paired) {
    return incomplete(WhyDurationsMiss(settings), kRemedy);
  }
  if (settings.log_min_messages == "fatal" || settings.log_min_messages == "panic") {
    return incomplete("log_min_messages = " + settings.log_min_messages + " hides durations",
                      "set log_min_messages = warning and reload");
  }
  if (!IsEnglish(settings.lc_messages)) {
    return incomplete("lc_messages = " + settings.lc_messages +
                          " writes durations in words that "
                          "cannot be read here",
                      "set lc_messages = 'C' and reload");
  }
  return {};
}

void Apply(const LogSettings::Override& change, LogSettings& settings) {
  std::string value = change.value;
  const bool is_switch = change.name == "log_duration";
  if (is_switch) {
    value = value == "on" || value == "true" || value == "1" || value == "yes" ? "on" : "off";
  }
  if (change.name == "log_min_duration_statement") settings.log_min_duration_statement = value;
  if (change.name == "log_duration") settings.log_duration = value;
  if (change.name == "log_statement") settings.log_statement = value;
  if (change.name == "log_min_messages") settings.log_min_messages = value;
  if (change.name == "lc_messages") settings.lc_messages = value;
}

}  // namespace

bool DecidesCompleteness(const std::string& setting) {
  return std::find(std::begin(kDeciding), std::end(kDeciding), setting) != std::end(kDeciding);
}

Result<> JudgeLogSettings(const LogSettings& settings) {
  for (const auto& change : settings.overrides) {
    if (!change.is_ours || !DecidesCompleteness(change.name)) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "the " + change.owner + " of our own connection sets " + change.name +
                     ", so that the server's own value cannot be seen: reset it there"};
  }
  TOCSIN_RETURN_IF_ERROR(JudgeOne(settings));
  for (const auto& change : settings.overrides) {
    if (!DecidesCompleteness(change.name)) continue;
    LogSettings changed = settings;
    Apply(change, changed);
    if (JudgeOne(changed).ok()) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "the " + change.owner + " sets " + change.name + " = " + change.value +
                     ", so that its statements are missing: reset it there"};
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
