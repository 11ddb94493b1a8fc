#include "daemon/formats/go_time_layout.h"

#include <algorithm>

namespace tocsin::formats {
namespace {

// A lower-case letter after "Jan" or "Mon" makes it another word.
bool IsOtherWord(std::string_view element, std::string_view layout) {
  if (element != "Jan" && element != "Mon") return false;
  return layout.size() > element.size() && layout[element.size()] >= 'a' &&
         layout[element.size()] <= 'z';
}

// The length of ".000" or ",999" not followed by a digit; 0 if there is none.
std::size_t FractionLength(std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',')) return 0;
  if (layout[1] != '0' && layout[1] != '9') return 0;
  const std::size_t end = std::min(layout.find_first_not_of(layout[1], 1), layout.size());
  return end < layout.size() && layout[end] >= '0' && layout[end] <= '9' ? 0 : end;
}

}  // namespace

std::string_view FirstLayoutElement(std::string_view layout) {
  if (const std::size_t fraction = FractionLength(layout); fraction > 0) {
    return layout.substr(0, fraction);
  }
  for (const std::string_view element : kGoLayoutWords) {
    if (!layout.starts_with(element) || IsOtherWord(element, layout)) continue;
    return layout.substr(0, element.size());
  }
  return {};
}

}  // namespace tocsin::formats
