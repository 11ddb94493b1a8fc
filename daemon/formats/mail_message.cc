#include "daemon/formats/mail_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "daemon/base/internet_date.h"
#include "daemon/base/text.h"

namespace tocsin::formats {
namespace {

constexpr std::size_t kLineWidth = 76;
constexpr std::size_t kMaxEncodedWord = 75;
constexpr std::size_t kLongestPlainWord = 900;  // A line may have 998 bytes.
constexpr std::string_view kWordBegin = "=?UTF-8?q?";
constexpr std::string_view kWordEnd = "?=";
constexpr std::string_view kFold = "\r\n ";

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// One line of valid UTF-8.
std::string OneLine(std::string_view value) {
  std::string line;
  for (const char c : ValidUtf8(value)) {
    if (!IsControl(c)) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return std::string(TrimSpace(line));
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t RuneLength(std::string_view text, std::size_t at) {
  std::size_t length = 1;
  while (at + length < text.size() &&
         (static_cast<unsigned char>(text[at + length]) & 0xC0) == 0x80) {
    ++length;
  }
  return length;
}

void AppendHex(char c, std::string& out) {
  fmt::format_to(std::back_inserter(out), "={:02X}", static_cast<unsigned char>(c));
}

// A rune within an encoded word. Only what is safe in a phrase, too, stands for itself.
std::string WordRune(std::string_view rune) {
  if (rune == " ") return "_";
  std::string out;
  for (const char c : rune) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::string_view("!*+-/").find(c) != std::string_view::npos);
    if (plain) {
      out += c;
    } else {
      AppendHex(c, out);
    }
  }
  return out;
}

// Encoded words joined by folds, for a line on which `used` bytes stand already.
std::string EncodedWords(std::string_view line, std::size_t used) {
  std::string out(kWordBegin);
  std::size_t width = used + kWordBegin.size();
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t length = RuneLength(line, at);
    const std::string rune = WordRune(line.substr(at, length));
    if (width + rune.size() + kWordEnd.size() > kMaxEncodedWord) {
      out += kWordEnd;
      out += kFold;
      out += kWordBegin;
      width = 1 + kWordBegin.size();
    }
    out += rune;
    width += rune.size();
    at += length;
  }
  out += kWordEnd;
  return out;
}

// ASCII folded at its spaces.
std::string Folded(std::string_view line, std::size_t used) {
  std::string out;
  std::size_t width = used;
  while (!line.empty()) {
    const std::size_t end = line.find(' ', 1);
    const std::string_view word = line.substr(0, end);  // With the space before it.
    line.remove_prefix(word.size());
    if (width + word.size() > kLineWidth && word.front() == ' ' && width > used) {
      out += "\r\n";
      width = 0;
    }
    out += word;
    width += word.size();
  }
  return out;
}

bool StandsForItself(std::string_view line) {
  std::size_t word = 0;
  for (const char c : line) {
    word = c == ' ' ? 0 : word + 1;
    if (word > kLongestPlainWord) return false;
  }
  // Spaces in a row would be lost where a line is folded between them.
  return IsAscii(line) && line.find("=?") == line.npos && line.find("  ") == line.npos;
}

std::string Unstructured(std::string_view value, std::size_t used) {
  const std::string line = OneLine(value);
  return StandsForItself(line) ? Folded(line, used) : EncodedWords(line, used);
}

// -- Addresses --

// Letters and what RFC 5322 lets stand beside them.
bool IsAtomChar(char c) {
  return static_cast<unsigned char>(c) >= 0x80 ||
         (c > ' ' && c < 0x7f &&
          std::string_view("()<>[]:;@\\,.\"").find(c) == std::string_view::npos);
}

// A display name: bare if it is words, else quoted, else encoded.
std::string Phrase(std::string_view name, std::size_t used) {
  if (!IsAscii(name) || name.size() > kLineWidth || name.find("=?") != name.npos) {
    return EncodedWords(name, used);
  }
  const bool bare = std::all_of(name.begin(), name.end(),
                                [](char c) { return IsAtomChar(c) || c == ' ' || c == '.'; });
  if (bare) return std::string(name);
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string Addresses(const std::vector<MailAddress>& list, std::size_t used) {
  std::string out;
  for (const MailAddress& one : list) {
    if (!out.empty()) {
      out += ",";
      out += kFold;
      used = 1;
    }
    const std::string name = OneLine(one.name);
    out += name.empty() ? one.address : Phrase(name, used) + " <" + one.address + ">";
  }
  return out;
}

// Reads one address after another off a text.
class AddressReader {
 public:
  explicit AddressReader(std::string_view text) : text_(text) {}

  Result<std::vector<MailAddress>> All() {
    std::vector<MailAddress> list;
    while (true) {
      SkipSpace();
      if (at_ == text_.size()) break;
      TOCSIN_ASSIGN_OR_RETURN(MailAddress one, Next());
      list.push_back(std::move(one));
      SkipSpace();
      if (at_ == text_.size()) break;
      if (text_[at_] != ',') return Fault("expected a comma");
      ++at_;
    }
    if (list.empty()) return Error{ErrorCode::kInvalidArgument, "no mail address"};
    return list;
  }

 private:
  // `words <local@domain>` or `local@domain`; words may be quoted.
  Result<MailAddress> Next() {
    std::string words;
    bool quoted = false;
    bool sound = true;  // Whether the words may be a name.
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '<') {
      if (text_[at_] == '"') {
        TOCSIN_ASSIGN_OR_RETURN(const std::string part, QuotedString());
        words += part;
        quoted = true;
      } else {
        const char c = text_[at_++];
        sound = sound && (IsAtomChar(c) || c == ' ' || c == '\t' || c == '.');
        words += c;
      }
    }
    MailAddress one;
    if (at_ < text_.size() && text_[at_] == '<') {
      const std::size_t end = text_.find('>', at_);
      if (end == text_.npos) return Fault("a \"<\" without its \">\"");
      if (!sound) return Fault("a name that is not words");
      one.name = TrimSpace(words);
      one.address = TrimSpace(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
    } else {
      if (quoted) return Fault("a quoted name without <address>");
      one.address = TrimSpace(words);
    }
    if (!IsAscii(one.address)) {
      // Its header would need SMTPUTF8 at every server on the way.
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("\"{}\" is not an ASCII mail address (a domain can be written as "
                               "xn--…)",
                               OneLine(one.address))};
    }
    if (!IsAddress(one.address)) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("\"{}\" is not a mail address", OneLine(one.address))};
    }
    return one;
  }

  Result<std::string> QuotedString() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return out;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    return Fault("a quotation mark without its other");
  }

  static bool IsDotAtom(std::string_view text) {
    if (text.empty() || text.front() == '.' || text.back() == '.') return false;
    return text.find("..") == text.npos &&
           std::all_of(text.begin(), text.end(), [](char c) { return IsAtomChar(c) || c == '.'; });
  }
  static bool IsAddress(std::string_view address) {
    const std::size_t at = address.rfind('@');
    if (at == address.npos || address.size() > 320) return false;
    const std::string_view domain = address.substr(at + 1);
    const bool literal =
        domain.size() > 2 && domain.front() == '[' && domain.back() == ']' &&
        domain.find_first_not_of("0123456789abcdefABCDEFIPv.:", 1) == domain.size() - 1;
    return IsDotAtom(address.substr(0, at)) && (literal || IsDotAtom(domain));
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  Error Fault(std::string_view what) const {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} in the mail addresses \"{}\"", what, OneLine(text_))};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// -- The body --

// A line of quoted-printable, without its end.
void AppendQuotedLine(std::string_view line, std::string& out) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool blank_at_end = (c == ' ' || c == '\t') && i + 1 == line.size();
    const bool dot_at_begin = c == '.' && width == 0;  // SMTP's own sign of the end.
    const bool plain =
        ((c >= ' ' && c < 0x7f && c != '=') || c == '\t') && !blank_at_end && !dot_at_begin;
    const std::size_t needs = plain ? 1 : 3;
    if (width + needs > kLineWidth - 1) {
      out += "=\r\n";
      width = 0;
      if (plain && c == '.') {  // It begins a line after all.
        AppendHex(c, out);
        width += 3;
        continue;
      }
    }
    if (plain) {
      out += c;
    } else {
      AppendHex(c, out);
    }
    width += needs;
  }
}

std::string QuotedPrintable(std::string_view text) {
  const std::string valid = ValidUtf8(text);
  std::string out;
  std::string_view left(valid);
  while (!left.empty()) {
    const std::size_t end = left.find('\n');
    std::string_view line = left.substr(0, end);
    left.remove_prefix(end == left.npos ? left.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    AppendQuotedLine(line, out);
    out += "\r\n";
  }
  return out;
}

void AppendPart(std::string_view type, std::string_view content, const std::string& boundary,
                std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "--{}\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                 "Content-Type: {}; charset=UTF-8\r\n\r\n",
                 boundary, type);
  out += QuotedPrintable(content);
}

}  // namespace

Result<std::vector<MailAddress>> ParseMailAddresses(std::string_view text) {
  return AddressReader(text).All();
}

std::string EncodeMail(const MailMessage& message) {
  std::string out;
  for (const auto& [name, value] : message.headers) {
    const std::size_t used = name.size() + 2;
    out += name + ": ";
    const auto addresses =
        IsMailAddressHeader(name) ? ParseMailAddresses(value) : Error{ErrorCode::kNotFound, ""};
    out += addresses.ok() ? Addresses(*addresses, used) : Unstructured(value, used);
    out += "\r\n";
  }
  fmt::format_to(std::back_inserter(out),
                 "Content-Type: multipart/alternative;\r\n boundary=\"{}\"\r\n"
                 "MIME-Version: 1.0\r\n\r\n",
                 message.boundary);
  if (!message.text.empty() || message.html.empty()) {
    AppendPart("text/plain", message.text, message.boundary, out);
  }
  if (!message.html.empty()) AppendPart("text/html", message.html, message.boundary, out);
  return out + "--" + message.boundary + "--\r\n";
}

bool IsMailAddressHeader(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"From", "To",       "Cc",
                                                      "Bcc",  "Reply-To", "Sender"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool IsMailHeaderName(std::string_view name) {
  return !name.empty() && name.size() <= kLineWidth &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

}  // namespace tocsin::formats
