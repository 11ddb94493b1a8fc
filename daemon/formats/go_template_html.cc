#include "daemon/formats/go_template_html.h"

#include <algorithm>
#include <cctype>

#include "daemon/formats/html_text.h"

namespace tocsin::formats {
namespace {

// A value that is put in place by itself: some charsets are told by a "+".
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : EscapeHtml(text)) {
    if (c == '+') {
      out += "&#43;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Whether an attribute's value that is an address begins behind `before`.
bool BeginsAddress(std::string_view before) {
  if (before.size() > 6) before.remove_prefix(before.size() - 6);
  const std::string end = Lower(before);
  for (const std::string_view name : {"href=\"", "href='", "src=\"", "src='", "href=", "src="}) {
    if (end.ends_with(name)) return true;
  }
  return false;
}

bool IsHarmless(std::string_view address) {
  const std::size_t colon = address.find(':');
  if (colon == address.npos || address.find('/') < colon) return true;  // No scheme.
  const std::string scheme = Lower(address.substr(0, colon));
  return scheme == "http" || scheme == "https" || scheme == "mailto" || scheme == "tel";
}

}  // namespace

std::string HtmlValue(std::string_view value, std::string_view before) {
  if (!BeginsAddress(before)) return Escaped(value);
  if (!IsHarmless(value)) return "#ZgotmplZ";
  std::string out;
  for (const char c : Escaped(value)) {
    if (static_cast<unsigned char>(c) <= 0x20) {
      out += c == ' ' ? "%20" : "";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace tocsin::formats
