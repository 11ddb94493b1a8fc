#include "tests/demo/screen.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace tocsin::demo {
namespace {

constexpr std::string_view kPlain;
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kBlue = "\x1b[36m";
constexpr std::string_view kReset = "\x1b[0m";

std::string TimeOfDay() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
  return text.data();
}

// One line of at most `limit` bytes.
std::string Short(std::string_view text, std::size_t limit) {
  const auto line = text.substr(0, text.find('\n'));
  if (line.size() <= limit) return std::string(line);
  return std::string(line.substr(0, limit - 3)) + "...";
}

// What tells the alert's instances apart.
std::string Where(const SeenAlert& alert) {
  std::string where = alert.Label("instance");
  for (const char* name : {"pool", "database", "user", "datname", "slo"}) {
    if (const auto value = alert.Label(name); !value.empty()) where += " " + value;
  }
  return where;
}

}  // namespace

Screen::Screen() : coloured_(isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr) {}

void Screen::Line(std::string_view colour, std::string_view kind, std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto padded = fmt::format("{:<10}", kind);
  if (coloured_ && !colour.empty()) {
    fmt::print("{}{}{}  {}{}{}  {}\n", kDim, TimeOfDay(), kReset, colour, padded, kReset, text);
  } else {
    fmt::print("{}  {}  {}\n", TimeOfDay(), padded, text);
  }
  std::fflush(stdout);
}

void Screen::Title(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (coloured_) {
    fmt::print("\n{}{}{}\n", kBold, text, kReset);
  } else {
    fmt::print("\n{}\n", text);
  }
  std::fflush(stdout);
}

void Screen::Note(std::string_view text) { Line(kPlain, "", text); }

void Screen::Problem(std::string_view text) { Line(kRed, "problem", text); }

void Screen::Ready(std::string_view name, std::string_view address) {
  Line(kGreen, "ready", fmt::format("{:<12} {}", name, address));
}

void Screen::Target(const SeenTarget& target) {
  const auto colour = target.health == "up" ? kGreen : target.health == "down" ? kRed : kPlain;
  const auto reason = target.error.empty() ? "" : "  " + Short(target.error, 100);
  Line(colour, "target",
       fmt::format("{:<10} {} {}{}", target.job, target.instance, target.health, reason));
}

void Screen::Alert(const SeenAlert& alert, std::string_view state) {
  const bool critical = alert.Label("severity") == "critical";
  const auto colour = state == "resolved"  ? kGreen
                      : state == "pending" ? kPlain
                      : critical           ? kRed
                                           : kYellow;
  const std::string value = state == "resolved" ? "" : fmt::format("  {:.4g}", alert.value);
  Line(colour, state == "firing" ? "FIRING" : state,
       fmt::format("{} {}  {}{}", alert.Label("severity"), alert.Label("alertname"), Where(alert),
                   value));
}

void Screen::Arrived(const Message& message) {
  const bool slack = message.vendor == Vendor::kSlack;
  std::string text = slack ? "" : message.action + " ";
  text += Short(message.headline, 110);
  if (!message.accepted()) text += fmt::format("  refused {}: {}", message.status, message.refusal);
  Line(message.accepted() ? kBlue : kRed, slack ? "Slack" : "PagerDuty", text);
}

}  // namespace tocsin::demo
