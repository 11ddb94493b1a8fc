#include "daemon/base/user_name.h"

#include <pwd.h>

#include <array>

namespace tocsin {

std::optional<std::string> UserName(uid_t id) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16 << 10> room;
  if (getpwuid_r(id, &entry, room.data(), room.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return std::string(entry.pw_name);
}

}  // namespace tocsin
