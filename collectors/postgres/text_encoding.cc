#include "collectors/postgres/text_encoding.h"

#include <iconv.h>

#include <algorithm>
#include <array>

#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::size_t kMostBytesPerByte = 4;  // Of UTF-8, for one of any other encoding.

// LATIN1 to LATIN10 are parts of ISO 8859.
constexpr std::array<int, 10> kLatinParts = {1, 2, 3, 4, 9, 10, 13, 14, 15, 16};

std::string IconvName(std::string_view name) {
  const auto rest = [&](std::string_view prefix) {
    return std::string(name.substr(prefix.size()));
  };
  if (name == "EUC_JIS_2004") return "EUC-JISX0213";
  if (name.starts_with("WIN")) return "CP" + rest("WIN");
  if (name.starts_with("KOI8")) return "KOI8-" + rest("KOI8");
  if (name.starts_with("LATIN")) {
    const auto number = ParseInt(rest("LATIN")).value_or(0);
    if (number < 1 || number > static_cast<std::int64_t>(kLatinParts.size())) return {};
    return "ISO-8859-" + std::to_string(kLatinParts[static_cast<std::size_t>(number - 1)]);
  }
  std::string spelled(name);
  std::replace(spelled.begin(), spelled.end(), '_', '-');
  return spelled;
}

iconv_t Open(std::string_view name) {
  const bool is_word = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (name.empty() || !is_word) return nullptr;  // It would mean something else to iconv.
  const iconv_t converter = iconv_open("UTF-8", IconvName(name).c_str());
  return converter == reinterpret_cast<iconv_t>(-1) ? nullptr : converter;
}

}  // namespace

TextEncoding::TextEncoding(std::string_view name) : converter_(Open(name)) {}

TextEncoding::~TextEncoding() {
  if (converter_ != nullptr) iconv_close(converter_);
}

std::optional<std::string> TextEncoding::ToUtf8(std::string_view text) const {
  if (converter_ == nullptr) return std::nullopt;
  iconv(converter_, nullptr, nullptr, nullptr, nullptr);
  std::string in(text);
  std::string out(kMostBytesPerByte * text.size(), '\0');
  char* from = in.data();
  char* to = out.data();
  std::size_t left = in.size();
  std::size_t room = out.size();
  if (iconv(converter_, &from, &left, &to, &room) != 0) return std::nullopt;
  // Some hold the last character back, in case the next one belongs to it.
  if (iconv(converter_, nullptr, nullptr, &to, &room) != 0) return std::nullopt;
  out.resize(out.size() - room);
  return out;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace tocsin::collectors::postgres
