#include "daemon/app/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace tocsin::app {
namespace {

std::string_view CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kRed: return "31";
    case Colour::kYellow: return "33";
    case Colour::kGreen: return "32";
    case Colour::kFaint: return "2";
    case Colour::kBold: return "1";
  }
  return "0";
}

bool ShowsColour() {
  const char* refused = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && (refused == nullptr || *refused == '\0');
}

}  // namespace

std::string InColour(Colour colour, std::string_view text) {
  static const bool shows = ShowsColour();
  if (!shows) return std::string(text);
  return "\033[" + std::string(CodeOf(colour)) + "m" + std::string(text) + "\033[0m";
}

}  // namespace tocsin::app
