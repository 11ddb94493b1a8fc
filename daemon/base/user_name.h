#pragma once

// Users of this host by number. Thread-safe, unlike getpwuid.

#include <sys/types.h>

#include <optional>
#include <string>

namespace tocsin {

// Nothing if the host knows no such user.
std::optional<std::string> UserName(uid_t id);

}  // namespace tocsin
