#include "daemon/formats/go_template_literals.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/formats/go_template_printf.h"

namespace tocsin::formats {
namespace {

constexpr std::array<std::pair<char, char>, 10> kEscapes = {{
    {'a', '\a'},
    {'b', '\b'},
    {'f', '\f'},
    {'n', '\n'},
    {'r', '\r'},
    {'t', '\t'},
    {'v', '\v'},
    {'\\', '\\'},
    {'"', '"'},
    {'\'', '\''},
}};

// Reads `length` digits of `base` off the front of `text`.
std::optional<std::uint32_t> TakeDigits(std::string_view& text, std::size_t length, int base) {
  if (text.size() < length) return std::nullopt;
  std::uint32_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + length, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::string RuneText(std::uint32_t code) {
  const std::array<GoValue, 1> args = {GoValue::Int(code)};
  return GoSprintf("%c", args);
}

// Takes one escape sequence (behind its backslash) off the front of `text`.
bool TakeEscape(std::string_view& text, std::string& out) {
  if (text.empty()) return false;
  const char c = text.front();
  for (const auto& [name, value] : kEscapes) {
    if (c != name) continue;
    out += value;
    text.remove_prefix(1);
    return true;
  }
  std::optional<std::uint32_t> code;
  if (c >= '0' && c <= '7') {
    code = TakeDigits(text, 3, 8);
    if (!code || *code > 255) return false;
    out += static_cast<char>(*code);
    return true;
  }
  text.remove_prefix(1);
  if (c == 'x') {
    code = TakeDigits(text, 2, 16);
    if (code) out += static_cast<char>(*code);
    return code.has_value();
  }
  if (c == 'u') code = TakeDigits(text, 4, 16);
  if (c == 'U') code = TakeDigits(text, 8, 16);
  if (!code || *code > 0x10FFFF) return false;
  out += RuneText(*code);
  return true;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      out += c;
    } else if (!TakeEscape(text, out)) {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<std::int64_t> ParseInteger(std::string_view digits, bool negative) {
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = digits[1];
    base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
    const bool has_mark = base != 8 || mark == 'o' || mark == 'O';
    digits.remove_prefix(has_mark ? 2 : 1);
  }
  std::int64_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value, base);
  if (digits.empty() || digits[0] == '-' || parsed.ec != std::errc() || parsed.ptr != end) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

}  // namespace

std::optional<std::string> UnquoteGo(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return std::nullopt;
  const std::string_view inner = literal.substr(1, literal.size() - 2);
  if (literal.front() == '"') return Unescape(inner);
  std::string raw(inner);
  std::erase(raw, '\r');
  return raw;
}

std::optional<GoValue> ParseGoNumber(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '_');
  std::string_view digits = plain;
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative || (!digits.empty() && digits.front() == '+')) digits.remove_prefix(1);
  if (const auto integer = ParseInteger(digits, negative)) {
    return GoValue::Int(*integer).AsConstant();
  }
  const bool hex = digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0X";
  if (hex) digits.remove_prefix(2);
  if (digits.empty() || !(digits[0] == '.' || (digits[0] >= '0' && digits[0] <= '9') || hex)) {
    return std::nullopt;
  }
  double value = 0;
  const auto end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value,
                                      hex ? std::chars_format::hex : std::chars_format::general);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return GoValue::Float(negative ? -value : value).AsConstant();
}

std::optional<GoValue> ParseGoRune(std::string_view literal) {
  const auto text =
      literal.size() < 3 ? std::nullopt : Unescape(literal.substr(1, literal.size() - 2));
  if (!text || text->empty()) return std::nullopt;
  const auto lead = static_cast<unsigned char>((*text)[0]);
  const std::size_t length = lead < 0x80 || text->size() == 1 ? 1
                             : lead < 0xE0                    ? 2
                             : lead < 0xF0                    ? 3
                                                              : 4;
  if (text->size() != length) return std::nullopt;
  std::int64_t code = length == 1 ? lead : lead & (0xFF >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    code = (code << 6) | (static_cast<unsigned char>((*text)[i]) & 0x3F);
  }
  return GoValue::Int(code).AsConstant();
}

}  // namespace tocsin::formats
