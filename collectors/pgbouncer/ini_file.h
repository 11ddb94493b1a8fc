#pragma once

// PgBouncer's two files, as far as a user is added to them: pgbouncer.ini and the list
// of users (auth_file). Everything else in them stays as it is, byte by byte. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::collectors::pgbouncer {

class IniFile {
 public:
  // Errors: kInvalidArgument without a section [pgbouncer], and for a file with
  // %include: what another file says last would win. `path` is for the messages.
  static Result<IniFile> Parse(std::string_view text, const std::string& path);

  // Of a key of section [pgbouncer], as PgBouncer reads it (the last one counts); empty
  // if it is not there.
  std::string Value(std::string_view key) const;

  // The text with `word` in the comma-separated list that `key` of [pgbouncer] holds.
  std::string WithListed(std::string_view key, std::string_view word) const;

 private:
  std::size_t Find(std::string_view key) const;  // lines_.size() if it is not there.

  std::vector<std::string> lines_;  // With their line breaks.
  std::size_t section_ = 0;         // The line of [pgbouncer].
  std::size_t section_end_ = 0;
};

// What the list of users says of one; empty if nothing.
std::string SecretOfUser(std::string_view users, std::string_view user);

// The list with `line` in the place of the user's, or at its end.
std::string WithUser(std::string_view users, std::string_view user, std::string_view line);

}  // namespace tocsin::collectors::pgbouncer
