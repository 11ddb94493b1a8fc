#include "collectors/pgbouncer/ini_file.h"

#include <algorithm>
#include <utility>

#include "daemon/base/text.h"

namespace tocsin::collectors::pgbouncer {
namespace {

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

void EndWithLineBreak(std::string& line) {
  if (!line.ends_with('\n')) line += '\n';
}

// "key = value" apart; no key for comments, sections and blank lines.
std::pair<std::string_view, std::string_view> Setting(std::string_view line) {
  line = TrimSpace(line);
  if (line.empty() || line.front() == ';' || line.front() == '#') return {};
  const auto equals = line.find('=');
  if (equals == line.npos) return {};
  return {TrimSpace(line.substr(0, equals)), TrimSpace(line.substr(equals + 1))};
}

// `"user" "secret" …` apart; a quote within is doubled.
std::pair<std::string, std::string> UserAndSecret(std::string_view line) {
  std::vector<std::string> words;
  line = TrimSpace(line);
  while (!line.empty() && line.front() == '"' && words.size() < 2) {
    line.remove_prefix(1);
    std::string word;
    while (!line.empty()) {
      const char c = line.front();
      line.remove_prefix(1);
      if (c != '"') {
        word += c;
      } else if (!line.empty() && line.front() == '"') {
        word += c;
        line.remove_prefix(1);
      } else {
        break;
      }
    }
    words.push_back(std::move(word));
    line = TrimSpace(line);
  }
  words.resize(2);
  return {words[0], words[1]};
}

bool IsListed(std::string_view list, std::string_view word) {
  while (true) {
    const auto comma = std::min(list.find(','), list.size());
    if (TrimSpace(list.substr(0, comma)) == word) return true;
    if (comma == list.size()) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<IniFile> IniFile::Parse(std::string_view text, const std::string& path) {
  IniFile file;
  file.lines_ = Lines(text);
  file.section_ = file.section_end_ = file.lines_.size();
  bool within = false;
  for (std::size_t i = 0; i < file.lines_.size(); ++i) {
    const std::string_view line = TrimSpace(file.lines_[i]);
    if (line.starts_with("%include")) {
      return Error{ErrorCode::kInvalidArgument,
                   path + ":" + std::to_string(i + 1) +
                       ": files with %include are not changed here: add the lines by hand"};
    }
    if (!line.starts_with('[')) continue;
    if (within) file.section_end_ = i;
    within = line == "[pgbouncer]";
    if (within) file.section_ = i;
    if (within) file.section_end_ = file.lines_.size();
  }
  if (file.section_ == file.lines_.size()) {
    return Error{ErrorCode::kInvalidArgument, path + ": no section [pgbouncer]"};
  }
  return file;
}

std::size_t IniFile::Find(std::string_view key) const {
  std::size_t found = lines_.size();
  for (std::size_t i = section_ + 1; i < section_end_; ++i) {
    if (Setting(lines_[i]).first == key) found = i;
  }
  return found;
}

std::string IniFile::Value(std::string_view key) const {
  const std::size_t line = Find(key);
  return line == lines_.size() ? std::string() : std::string(Setting(lines_[line]).second);
}

std::string IniFile::WithListed(std::string_view key, std::string_view word) const {
  std::vector<std::string> lines = lines_;
  const std::size_t at = Find(key);
  if (at == lines_.size()) {
    EndWithLineBreak(lines[section_]);
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(section_) + 1,
                 std::string(key) + " = " + std::string(word) + "\n");
    return Joined(lines);
  }
  const std::string value = Value(key);
  if (IsListed(value, word)) return Joined(lines);
  lines[at] =
      std::string(key) + " = " + (value.empty() ? "" : value + ", ") + std::string(word) + "\n";
  return Joined(lines);
}

std::string SecretOfUser(std::string_view users, std::string_view user) {
  for (const std::string& line : Lines(users)) {
    auto [name, secret] = UserAndSecret(line);
    if (name == user) return std::move(secret);
  }
  return {};
}

std::string WithUser(std::string_view users, std::string_view user, std::string_view line) {
  std::vector<std::string> lines = Lines(users);
  const auto at = std::find_if(lines.begin(), lines.end(), [&](const std::string& one) {
    return UserAndSecret(one).first == user;
  });
  if (at != lines.end()) {
    *at = std::string(line) + "\n";
  } else {
    if (!lines.empty()) EndWithLineBreak(lines.back());
    lines.push_back(std::string(line) + "\n");
  }
  return Joined(lines);
}

}  // namespace tocsin::collectors::pgbouncer
