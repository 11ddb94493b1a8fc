#pragma once

// What a person sees: one line for each thing that happens, with the time of day,
// in colour on a terminal only. Thread-safe.

#include <mutex>
#include <string>
#include <string_view>

#include "tests/demo/standins/standins.h"
#include "tests/demo/web.h"

namespace tocsin::demo {

class Screen {
 public:
  Screen();

  void Title(std::string_view text);
  void Note(std::string_view text);
  void Problem(std::string_view text);
  void Ready(std::string_view name, std::string_view address);
  void Target(const SeenTarget& target);
  // `state` is pending, firing or resolved.
  void Alert(const SeenAlert& alert, std::string_view state);
  void Arrived(const Message& message);

 private:
  void Line(std::string_view colour, std::string_view kind, std::string_view text);

  std::mutex mutex_;
  const bool coloured_;
};

}  // namespace tocsin::demo
