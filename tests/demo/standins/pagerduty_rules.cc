#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/demo/standins/text_length.h"
#include "tests/demo/standins/vendor_rules.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kActions = {"trigger", "acknowledge", "resolve"};
constexpr std::array<std::string_view, 4> kSeverities = {"critical", "error", "warning", "info"};

template <std::size_t N>
bool IsOneOf(const std::string& word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The string member `name`; a wrong type or a missing required one is an error.
std::string Text(const json& object, const std::string& name, bool required,
                 std::vector<std::string>& errors) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    if (required) errors.push_back("'" + name + "' is missing or blank");
    return {};
  }
  if (!found->is_string()) {
    errors.push_back("'" + name + "' is not a string");
    return {};
  }
  const auto& text = found->get_ref<const std::string&>();
  if (required && text.empty()) errors.push_back("'" + name + "' is missing or blank");
  return text;
}

void JudgePayload(const json& event, PagerDutyVerdict& verdict) {
  auto& errors = verdict.errors;
  const bool required = verdict.action == "trigger";
  const auto payload = event.find("payload");
  if (payload == event.end()) {
    if (required) errors.push_back("'payload' is missing or blank");
    return;
  }
  if (!payload->is_object()) {
    errors.push_back("'payload' is not an object");
    return;
  }
  verdict.summary = Text(*payload, "summary", required, errors);
  if (CharacterCount(verdict.summary) > kPagerDutySummaryLimit) {
    errors.push_back(
        "Length of 'payload.summary' is incorrect (should be at most 1024 characters)");
  }
  Text(*payload, "source", required, errors);
  verdict.severity = Text(*payload, "severity", required, errors);
  if (!verdict.severity.empty() && !IsOneOf(verdict.severity, kSeverities)) {
    errors.push_back(
        "'payload.severity' is invalid (must be one of the following: 'critical',"
        " 'warning', 'error' or 'info')");
  }
  for (const char* name : {"timestamp", "component", "group", "class"}) {
    Text(*payload, name, /*required=*/false, errors);
  }
  if (payload->contains("custom_details") && !(*payload)["custom_details"].is_object()) {
    errors.push_back("'payload.custom_details' is not an object");
  }
}

// `images` need src, `links` need href.
void JudgeList(const json& event, const char* list, const char* needed,
               std::vector<std::string>& errors) {
  const auto found = event.find(list);
  if (found == event.end()) return;
  if (!found->is_array()) {
    errors.push_back("'" + std::string(list) + "' is not an array");
    return;
  }
  for (const auto& element : *found) {
    if (!element.is_object()) {
      errors.push_back("'" + std::string(list) + "' holds something other than objects");
    } else {
      Text(element, needed, /*required=*/true, errors);
    }
  }
}

}  // namespace

PagerDutyVerdict JudgePagerDutyEvent(std::string_view body) {
  PagerDutyVerdict verdict;
  auto& errors = verdict.errors;
  const json event = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) {
    errors.push_back("Invalid JSON");
    return verdict;
  }
  verdict.routing_key = Text(event, "routing_key", /*required=*/true, errors);
  if (!verdict.routing_key.empty() && verdict.routing_key.size() != kPagerDutyRoutingKeyLength) {
    errors.push_back("Length of 'routing_key' is incorrect (should be 32 characters)");
  }
  verdict.action = Text(event, "event_action", /*required=*/true, errors);
  if (!verdict.action.empty() && !IsOneOf(verdict.action, kActions)) {
    errors.push_back(
        "'event_action' is invalid (must be one of the following: 'trigger',"
        " 'acknowledge' or 'resolve')");
  }
  verdict.dedup_key = Text(event, "dedup_key", /*required=*/verdict.action != "trigger", errors);
  if (CharacterCount(verdict.dedup_key) > kPagerDutyDedupKeyLimit) {
    errors.push_back("Length of 'dedup_key' is incorrect (should be at most 255 characters)");
  }
  for (const char* name : {"client", "client_url"}) {
    Text(event, name, /*required=*/false, errors);
  }
  JudgePayload(event, verdict);
  JudgeList(event, "images", "src", errors);
  JudgeList(event, "links", "href", errors);
  return verdict;
}

}  // namespace tocsin::demo
