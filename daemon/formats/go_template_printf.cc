#include "daemon/formats/go_template_printf.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

namespace tocsin::formats {
namespace {

using Kind = GoValue::Kind;

struct Verb {
  char verb = 'v';
  bool plus = false;
  bool minus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  std::optional<int> width;
  std::optional<int> precision;
};

std::size_t RuneCount(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

std::string Pad(std::string text, const Verb& verb, bool numeric) {
  if (!verb.width) return text;
  const std::size_t count = RuneCount(text);
  const std::size_t width = static_cast<std::size_t>(*verb.width);
  if (count >= width) return text;
  const std::size_t missing = width - count;
  if (verb.minus) return text + std::string(missing, ' ');
  if (!verb.zero) return std::string(missing, ' ') + text;
  const bool sign = numeric && !text.empty() && (text[0] == '-' || text[0] == '+');
  return text.insert(sign ? 1 : 0, std::string(missing, '0'));
}

std::string Sign(bool negative, const Verb& verb) {
  if (negative) return "-";
  if (verb.plus) return "+";
  return verb.space ? " " : "";
}

// A code point as UTF-8; what is none becomes U+FFFD.
std::string Rune(std::int64_t code) {
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  const auto c = static_cast<std::uint32_t>(code);
  std::string out;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
  return out;
}

std::string BadVerb(const GoValue& value, char verb) {
  if (value.IsNil()) return fmt::format("%!{}(<nil>)", verb);
  return fmt::format("%!{}({}={})", verb, value.TypeName(), value.Text());
}

std::string Integer(std::int64_t value, const Verb& verb) {
  const bool negative = value < 0;
  const auto magnitude =
      negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  std::string digits;
  std::string prefix;
  switch (verb.verb) {
    case 'b':
      digits = fmt::format("{:b}", magnitude);
      if (verb.sharp) prefix = "0b";
      break;
    case 'o':
    case 'O':
      digits = fmt::format("{:o}", magnitude);
      if (verb.sharp) prefix = "0";
      if (verb.verb == 'O') prefix = "0o";
      break;
    case 'x':
      digits = fmt::format("{:x}", magnitude);
      if (verb.sharp) prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", magnitude);
      if (verb.sharp) prefix = "0X";
      break;
    default: digits = fmt::format("{}", magnitude); break;
  }
  if (verb.precision) {
    const auto least = static_cast<std::size_t>(*verb.precision);
    if (least == 0 && value == 0)
      return Pad("", Verb{' ', false, verb.minus, false, false, false, verb.width, std::nullopt},
                 true);
    if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  }
  Verb padding = verb;
  if (verb.precision) padding.zero = false;
  return Pad(Sign(negative, verb) + prefix + digits, padding, true);
}

std::string CFloat(char conversion, int precision, bool sharp, double value) {
  const std::string form =
      sharp ? std::string("%#.*") + conversion : std::string("%.*") + conversion;
  const int size = std::snprintf(nullptr, 0, form.c_str(), precision, value);
  std::string out(static_cast<std::size_t>(size) + 1, '\0');
  std::snprintf(out.data(), out.size(), form.c_str(), precision, value);
  out.pop_back();
  return out;
}

// The shortest digits that read back the same. Go's %g then switches to an exponent
// below 1e-4 and from 1e+06 on, however many digits there are.
std::string ShortestFloat(double value) {
  std::array<char, 64> buffer;
  const auto text_of = [&](std::chars_format form) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, form).ptr;
    return std::string(buffer.data(), end);
  };
  const bool plain = value == 0 || (value >= 1e-4 && value < 1e6);
  return text_of(plain ? std::chars_format::fixed : std::chars_format::scientific);
}

std::string Float(double value, const Verb& verb) {
  const char conversion = verb.verb == 'v' ? 'g' : verb.verb;
  if (std::isnan(value) || std::isinf(value)) {
    Verb padding = verb;
    padding.zero = false;
    if (std::isnan(value)) return Pad(verb.plus ? "+NaN" : "NaN", padding, true);
    return Pad(value < 0 ? "-Inf" : "+Inf", padding, true);
  }
  const bool negative = std::signbit(value);
  const double magnitude = std::fabs(value);
  std::string digits;
  const bool general = conversion == 'g' || conversion == 'G';
  if (verb.precision || !general) {
    digits = CFloat(conversion, verb.precision.value_or(6), verb.sharp, magnitude);
  } else {
    digits = ShortestFloat(magnitude);
    if (conversion == 'G') {
      for (char& c : digits) c = c == 'e' ? 'E' : c;
    }
  }
  return Pad(Sign(negative, verb) + digits, verb, true);
}

std::string Hex(std::string_view text, const Verb& verb) {
  std::string out;
  for (const char c : text) {
    if (verb.space && !out.empty()) out += ' ';
    if (verb.sharp && (out.empty() || verb.space)) out += verb.verb == 'x' ? "0x" : "0X";
    out += verb.verb == 'x' ? fmt::format("{:02x}", static_cast<unsigned char>(c))
                            : fmt::format("{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string Cut(std::string text, const Verb& verb) {
  if (!verb.precision) return text;
  std::size_t at = 0;
  for (int runes = *verb.precision; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    if (runes-- == 0) break;
  }
  text.resize(at);
  return text;
}

std::string StringVerb(const GoValue& value, const std::string& text, const Verb& verb) {
  switch (verb.verb) {
    case 'v': return Pad(verb.sharp ? GoQuote(text) : Cut(text, verb), verb, false);
    case 's': return Pad(Cut(text, verb), verb, false);
    case 'q': return Pad(GoQuote(Cut(text, verb)), verb, false);
    case 'x':
    case 'X': return Pad(Hex(Cut(text, verb), verb), verb, false);
    default: return BadVerb(value, verb.verb);
  }
}

std::string IntVerb(const GoValue& value, std::int64_t number, const Verb& verb) {
  switch (verb.verb) {
    case 'v':
    case 'd':
    case 'b':
    case 'o':
    case 'O':
    case 'x':
    case 'X': return Integer(number, verb);
    case 'c': return Pad(Rune(number), verb, false);
    case 'q': return Pad("'" + Rune(number) + "'", verb, false);
    case 'U': return Pad(fmt::format("U+{:04X}", static_cast<std::uint64_t>(number)), verb, false);
    default: return BadVerb(value, verb.verb);
  }
}

std::string Formatted(const GoValue& value, const Verb& verb);

// Lists, maps and structs apply the verb to each element.
std::string Composite(const GoValue& value, const Verb& verb) {
  const auto element = [&verb](const GoValue& v) { return Formatted(v, verb); };
  std::string out;
  if (value.kind() == Kind::kList) {
    for (const auto& item : value.AsList()) out += (out.empty() ? "" : " ") + element(item);
    return "[" + out + "]";
  }
  if (value.kind() == Kind::kMap) {
    for (const auto& [key, item] : value.AsMap()) {
      out += (out.empty() ? "" : " ") + element(GoValue::String(key)) + ":" + element(item);
    }
    return "map[" + out + "]";
  }
  for (const auto& [name, item] : value.AsStruct()) {
    if (!out.empty()) out += ' ';
    if (verb.plus) out += name + ":";
    out += element(item);
  }
  return "{" + out + "}";
}

bool HasStringMethod(const GoValue& value) {
  if (value.kind() == Kind::kTime || value.kind() == Kind::kDuration) return true;
  return value.type() != nullptr && value.type()->methods.count("String") > 0;
}

std::string Formatted(const GoValue& value, const Verb& verb) {
  if (verb.verb == 'T') return Pad(value.IsNil() ? "<nil>" : value.TypeName(), verb, false);
  if (value.IsNil()) {
    return verb.verb == 'v' ? Pad("<nil>", verb, false) : BadVerb(value, verb.verb);
  }
  const bool textual = verb.verb == 'v' || verb.verb == 's' || verb.verb == 'q';
  if (textual && HasStringMethod(value)) return StringVerb(value, value.Text(), verb);
  switch (value.kind()) {
    case Kind::kBool:
      if (verb.verb != 't' && verb.verb != 'v') return BadVerb(value, verb.verb);
      return Pad(value.Text(), verb, false);
    case Kind::kInt: return IntVerb(value, value.AsInt(), verb);
    case Kind::kDuration: return IntVerb(value, value.AsDuration().count(), verb);
    case Kind::kFloat:
      if (std::string_view("veEfFgG").find(verb.verb) == std::string_view::npos) {
        return BadVerb(value, verb.verb);
      }
      return Float(value.AsFloat(), verb);
    case Kind::kString: return StringVerb(value, value.AsString(), verb);
    case Kind::kList:
    case Kind::kMap:
    case Kind::kStruct: return Composite(value, verb);
    default: return BadVerb(value, verb.verb);
  }
}

// Reads one format text. Follows Go's rules for flags, `*` and [n] indexes.
class Formatter {
 public:
  Formatter(std::string_view format, std::span<const GoValue> args)
      : format_(format), args_(args) {}

  std::string Run() {
    while (at_ < format_.size()) {
      const auto percent = format_.find('%', at_);
      out_ += format_.substr(at_, percent - at_);
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      One();
    }
    if (!reordered_ && next_ < args_.size()) Extra();
    return std::move(out_);
  }

 private:
  void One() {
    Verb verb;
    Flags(verb);
    Index();
    verb.width = Number();
    if (verb.width && *verb.width < 0) {
      verb.minus = true;
      verb.width = -*verb.width;
    }
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      Index();
      verb.precision = Number().value_or(0);
      if (*verb.precision < 0) verb.precision.reset();
    }
    Index();
    if (at_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return;
    }
    verb.verb = format_[at_++];
    if (verb.verb == '%') {
      out_ += '%';
      return;
    }
    if (bad_index_) {
      out_ += fmt::format("%!{}(BADINDEX)", verb.verb);
      bad_index_ = false;
      return;
    }
    if (next_ >= args_.size()) {
      out_ += fmt::format("%!{}(MISSING)", verb.verb);
      return;
    }
    out_ += Formatted(args_[next_++], verb);
  }

  void Flags(Verb& verb) {
    for (; at_ < format_.size(); ++at_) {
      switch (format_[at_]) {
        case '+': verb.plus = true; break;
        case '-':
          verb.minus = true;
          verb.zero = false;
          break;
        case '#': verb.sharp = true; break;
        case ' ': verb.space = true; break;
        case '0': verb.zero = !verb.minus; break;
        default: return;
      }
    }
  }

  // [n]: the argument that comes next.
  void Index() {
    if (at_ >= format_.size() || format_[at_] != '[') return;
    reordered_ = true;
    const auto close = format_.find(']', at_);
    int index = 0;
    const char* begin = format_.data() + at_ + 1;
    const char* end = close == std::string_view::npos ? begin : format_.data() + close;
    const auto parsed = std::from_chars(begin, end, index);
    at_ = close == std::string_view::npos ? at_ + 1 : close + 1;
    if (parsed.ec != std::errc() || parsed.ptr != end || index < 1 ||
        static_cast<std::size_t>(index) > args_.size()) {
      bad_index_ = true;
      return;
    }
    next_ = static_cast<std::size_t>(index) - 1;
  }

  std::optional<int> Number() {
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      if (next_ < args_.size() && args_[next_].kind() == Kind::kInt &&
          std::abs(args_[next_].AsInt()) <= kMaxGoWidth) {
        return static_cast<int>(args_[next_++].AsInt());
      }
      if (next_ < args_.size()) ++next_;
      out_ += "%!(BADWIDTH)";
      return std::nullopt;
    }
    int number = 0;
    const char* begin = format_.data() + at_;
    const auto parsed = std::from_chars(begin, format_.data() + format_.size(), number);
    if (parsed.ptr == begin || *begin == '-') return std::nullopt;
    at_ += static_cast<std::size_t>(parsed.ptr - begin);
    if (parsed.ec != std::errc() || number > kMaxGoWidth) {
      out_ += "%!(BADWIDTH)";
      return std::nullopt;
    }
    return number;
  }

  void Extra() {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < args_.size(); ++i) {
      if (i > next_) out_ += ", ";
      const GoValue& arg = args_[i];
      out_ += arg.IsNil() ? "<nil>" : arg.TypeName() + "=" + Formatted(arg, Verb{});
    }
    out_ += ')';
  }

  std::string_view format_;
  std::span<const GoValue> args_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  bool reordered_ = false;
  bool bad_index_ = false;
  std::string out_;
};

}  // namespace

std::string GoSprintf(std::string_view format, std::span<const GoValue> args) {
  return Formatter(format, args).Run();
}

std::string GoSprint(std::span<const GoValue> args) {
  std::string out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool both_plain =
        i > 0 && args[i].kind() != Kind::kString && args[i - 1].kind() != Kind::kString;
    if (both_plain) out += ' ';
    out += Formatted(args[i], Verb{});
  }
  return out;
}

std::string GoSprintln(std::span<const GoValue> args) {
  std::string out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (i > 0) out += ' ';
    out += Formatted(args[i], Verb{});
  }
  return out + "\n";
}

std::string GoFloatText(double value) { return Float(value, Verb{}); }

std::string GoQuote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

}  // namespace tocsin::formats
