#include "tests/support/mail_reader.h"

#include <algorithm>
#include <cstdlib>

namespace tocsin::testing {
namespace {

int Hex(const std::string& text, std::size_t at) {
  return static_cast<int>(std::strtol(text.substr(at, 2).c_str(), nullptr, 16));
}

// "=?UTF-8?q?…?=" and its like; spaces between two of them vanish.
std::string DecodeWords(const std::string& value) {
  std::string out;
  std::size_t at = 0;
  bool after_word = false;
  while (at < value.size()) {
    const std::size_t begin = value.find("=?", at);
    if (begin == value.npos) break;
    const std::string between = value.substr(at, begin - at);
    const std::size_t charset = value.find('?', begin + 2);
    const std::size_t encoding = value.find('?', charset + 1);
    const std::size_t end = value.find("?=", encoding + 1);
    if (charset == value.npos || encoding == value.npos || end == value.npos) break;
    if (!after_word || between.find_first_not_of(' ') != between.npos) out += between;
    const std::string word = value.substr(encoding + 1, end - encoding - 1);
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (word[i] == '_') {
        out += ' ';
      } else if (word[i] == '=') {
        out += static_cast<char>(Hex(word, i + 1));
        i += 2;
      } else {
        out += word[i];
      }
    }
    after_word = true;
    at = end + 2;
  }
  return out + value.substr(at);
}

std::string DecodeQuotedPrintable(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' && text.compare(i, 3, "=\r\n") == 0) {
      i += 2;
    } else if (text[i] == '=') {
      out += static_cast<char>(Hex(text, i + 1));
      i += 2;
    } else if (text[i] != '\r') {
      out += text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> Headers(const std::string& head) {
  std::map<std::string, std::string> raw;
  std::string* last = nullptr;
  for (std::size_t at = 0; at < head.size();) {
    const std::size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string line = head.substr(at, end - at);
    at = end + 2;
    if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) {
      if (last != nullptr) *last += line;
      continue;
    }
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    std::string& value = raw[line.substr(0, colon)];
    value += (value.empty() ? "" : "\n") + line.substr(colon + 2);
    last = &value;
  }
  for (auto& [name, value] : raw) value = DecodeWords(value);
  return raw;
}

}  // namespace

ReadMail ReadMailText(const std::string& data) {
  ReadMail mail;
  const std::size_t blank = data.find("\r\n\r\n");
  mail.raw_head = data.substr(0, blank + 2);
  mail.headers = Headers(mail.raw_head);
  const std::string& type = mail.headers["Content-Type"];
  const std::size_t mark = type.find("boundary=");
  if (mark == type.npos) return mail;
  std::string boundary = type.substr(mark + 9);
  if (boundary.front() == '"') boundary = boundary.substr(1, boundary.find('"', 1) - 1);
  const std::string line = "--" + boundary;
  std::size_t at = data.find(line, blank);
  while (at != data.npos && data.compare(at + line.size(), 2, "--") != 0) {
    const std::size_t begin = at + line.size() + 2;
    at = data.find(line, begin);
    const std::string part = data.substr(begin, at - begin);
    const std::size_t end = part.find("\r\n\r\n");
    mail.parts.emplace_back(Headers(part.substr(0, end + 2))["Content-Type"],
                            DecodeQuotedPrintable(part.substr(end + 4)));
  }
  return mail;
}

std::string FaultOfMailLines(const std::string& data) {
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t end = data.find("\r\n", at);
    if (end == data.npos) return "the last line has no end";
    const std::string line = data.substr(at, end - at);
    if (line.size() > 998) return "a line of " + std::to_string(line.size()) + " bytes";
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x7f || (byte < 0x20 && c != '\t')) return "a strange byte in: " + line;
    }
    at = end + 2;
  }
  return "";
}

}  // namespace tocsin::testing
