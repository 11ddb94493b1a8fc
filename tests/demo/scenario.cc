#include "tests/demo/scenario.h"

#include <fmt/format.h>

#include <algorithm>

namespace tocsin::demo {
namespace {

using std::chrono::seconds;

constexpr std::chrono::milliseconds kTick{200};
constexpr seconds kSettleLimit{120};  // Until what came before has resolved.
constexpr seconds kFiringLimit{90};
constexpr seconds kTellLimit{40};  // A vendor may have asked for a pause.
constexpr seconds kHold{8};        // How long a value must stay where it is.
constexpr seconds kResolveLimit{120};

WallTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }

bool Within(const Step& step, double value) { return value > step.low && value < step.high; }

std::string OutOfRange(const Step& step, const char* who, double value) {
  return fmt::format("{} saw {:.4g} {}, not between {:.4g} and {:.4g}", who, value, step.unit,
                     step.low, step.high);
}

bool Mentions(const Message& message, std::string_view text) {
  return message.body.find(text) != std::string::npos;
}

}  // namespace

bool Scenario::Tick() {
  if (left_ || !pause_(kTick)) {
    left_ = true;
    return false;
  }
  surroundings_.cpu.Poll();
  surroundings_.log.Poll();
  if (condition_ != nullptr) condition_->Steer();
  daemon_.Poll();
  if (!daemon_.Running()) {
    screen_.Problem("tocsin has ended:\n" + daemon_.Output());
    left_ = true;
  }
  return !left_;
}

bool Scenario::WaitFor(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= until || !Tick()) return false;
  }
  return true;
}

void Scenario::Idle() {
  while (Tick()) {
  }
}

std::vector<Outcome> Scenario::Run(const std::vector<Step>& steps) {
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < steps.size() && !left_; ++i) {
    Outcome outcome{.step = steps[i]};
    screen_.Title(
        fmt::format("{}/{}  {}: {}", i + 1, steps.size(), steps[i].signal, steps[i].severity));
    const auto condition = steps[i].condition(surroundings_);
    Walk(outcome, *condition);
    condition_ = nullptr;
    if (!outcome.problem.empty() && !left_) screen_.Problem(outcome.problem);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

void Scenario::Walk(Outcome& outcome, Condition& condition) {
  const Step& step = outcome.step;
  const auto quiet = [&] {
    return std::none_of(daemon_.alerts().begin(), daemon_.alerts().end(),
                        [&](const auto& alert) { return alert.Label("alertname") == step.alert; });
  };
  if (!WaitFor(quiet, kSettleLimit)) {
    const auto measured = condition.Measure();
    outcome.problem = fmt::format("{} was active before its condition began; measured {:.4g} {}",
                                  step.alert, measured.value_or(0), step.unit);
    return;
  }
  outcome.begun = Now();
  condition_ = &condition;
  if (const auto begun = condition.Begin(); !begun.ok()) {
    outcome.problem = "the condition could not begin: " + begun.error().message;
  }
  if (outcome.problem.empty()) outcome.problem = AwaitPage(outcome);
  if (outcome.problem.empty()) outcome.problem = HoldValue(outcome);
  // Also after a problem: the condition must not spoil the next step.
  const auto unresolved = AwaitResolve(outcome, condition);
  if (outcome.problem.empty()) outcome.problem = unresolved;
  if (outcome.problem.empty() && step.severity == "warning" &&
      Find(outcome, "critical", "firing", *outcome.begun) != nullptr) {
    outcome.problem = "a critical alert of the row fired while its value was a warning's";
  }
}

// From the breach to the messages.
std::string Scenario::AwaitPage(Outcome& outcome) {
  const Step& step = outcome.step;
  const Transition* firing = nullptr;
  const bool fired = WaitFor(
      [&] {
        if (!outcome.breached) {
          const auto measured = condition_->Measure();
          if (measured && Within(step, *measured)) outcome.breached = Now();
        }
        firing = Find(outcome, step.severity, "firing", *outcome.begun);
        return firing != nullptr;
      },
      kFiringLimit);
  if (!fired) {
    const auto measured = condition_->Measure();
    return measured ? fmt::format("no {} alert fired; measured {:.4g} {}", step.severity, *measured,
                                  step.unit)
                    : fmt::format("no {} alert fired; nothing to measure", step.severity);
  }
  outcome.fired = firing->at;
  outcome.value_seen = firing->alert.value;
  outcome.value_measured = condition_->Measure();
  std::optional<Message> slack;
  std::optional<Message> page;
  const bool told = WaitFor(
      [&] {
        slack = FindMessage(outcome, Vendor::kSlack, /*resolved=*/false, *outcome.begun);
        page = FindMessage(outcome, Vendor::kPagerDuty, /*resolved=*/false, *outcome.begun);
        return slack && (page || step.severity == "warning");
      },
      kTellLimit);
  if (slack) {
    outcome.told_slack = slack->received_at;
    outcome.slack_body = slack->body;
  }
  if (page) {
    outcome.paged = page->received_at;
    outcome.page_body = page->body;
  }
  if (told) return {};
  return slack ? "nothing reached PagerDuty" : "nothing reached Slack";
}

// The value stays where it must while the alert fires.
std::string Scenario::HoldValue(Outcome& outcome) {
  const Step& step = outcome.step;
  std::string problem;
  WaitFor(
      [&] {
        const auto* alert = Current(step);
        if (alert == nullptr || alert->state != "firing") {
          problem = "the alert ended while its condition lasted";
        } else if (!Within(step, alert->value)) {
          problem = OutOfRange(step, "Tocsin", alert->value);
        }
        return !problem.empty();
      },
      kHold);
  const auto measured = condition_->Measure();
  if (problem.empty() && !measured) problem = "the demo could not measure the value";
  if (problem.empty()) {
    outcome.value_seen = Current(step)->value;
    outcome.value_measured = measured;
    if (!Within(step, *measured)) problem = OutOfRange(step, "the demo", *measured);
  }
  if (left_ && problem.empty()) problem = "interrupted";
  return problem;
}

// From the end of the condition to the messages that say so.
std::string Scenario::AwaitResolve(Outcome& outcome, Condition& condition) {
  const Step& step = outcome.step;
  const auto ended = condition.End();
  condition_ = nullptr;
  outcome.ended = Now();
  if (!ended.ok()) return "the condition could not end: " + ended.error().message;
  if (!outcome.fired) return {};
  const Transition* resolved = nullptr;
  if (!WaitFor(
          [&] {
            resolved = Find(outcome, step.severity, "resolved", *outcome.fired);
            return resolved != nullptr;
          },
          kResolveLimit)) {
    return "the alert did not resolve";
  }
  outcome.resolved = resolved->at;
  std::optional<Message> slack;
  std::optional<Message> page;
  const bool told = WaitFor(
      [&] {
        slack = FindMessage(outcome, Vendor::kSlack, /*resolved=*/true, *outcome.fired);
        page = FindMessage(outcome, Vendor::kPagerDuty, /*resolved=*/true, *outcome.fired);
        return slack && (page || step.severity == "warning");
      },
      kTellLimit);
  if (slack) {
    outcome.told_slack_resolved = slack->received_at;
    outcome.slack_resolved_body = slack->body;
  }
  if (page) {
    outcome.page_resolved = page->received_at;
    outcome.page_resolved_body = page->body;
  }
  if (told) return {};
  return slack ? "the resolve did not reach PagerDuty" : "the resolve did not reach Slack";
}

const Transition* Scenario::Find(const Outcome& outcome, const std::string& severity,
                                 const std::string& state, WallTime since) const {
  const auto& transitions = daemon_.transitions();
  const auto found = std::find_if(transitions.begin(), transitions.end(), [&](const auto& t) {
    return t.at >= since && t.state == state && t.alert.Label("alertname") == outcome.step.alert &&
           t.alert.Label("severity") == severity;
  });
  return found == transitions.end() ? nullptr : &*found;
}

const SeenAlert* Scenario::Current(const Step& step) const {
  const auto& alerts = daemon_.alerts();
  const auto found = std::find_if(alerts.begin(), alerts.end(), [&](const auto& alert) {
    return alert.Label("alertname") == step.alert && alert.Label("severity") == step.severity;
  });
  return found == alerts.end() ? nullptr : &*found;
}

// The accepted message that speaks of the step's alert. A resolve at PagerDuty must
// carry the key of its trigger.
std::optional<Message> Scenario::FindMessage(const Outcome& outcome, Vendor vendor, bool resolved,
                                             WallTime since) const {
  const Step& step = outcome.step;
  std::string dedup_key;
  for (const auto& message : standins_.Messages()) {
    if (!message.accepted() || message.vendor != vendor) continue;
    if (message.received_at < *outcome.begun || !Mentions(message, step.alert)) continue;
    if (vendor == Vendor::kPagerDuty) {
      if (message.severity != step.severity) continue;
      if (message.action == "trigger") dedup_key = message.dedup_key;
      const bool of_trigger = message.action == "resolve" && message.dedup_key == dedup_key;
      if (message.received_at >= since && (resolved ? of_trigger : message.action == "trigger")) {
        return message;
      }
    } else if (message.received_at >= since &&
               Mentions(message, resolved ? "[RESOLVED" : "[FIRING") &&
               Mentions(message, "severity=" + step.severity)) {
      return message;
    }
  }
  return std::nullopt;
}

}  // namespace tocsin::demo
