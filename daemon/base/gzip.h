#pragma once

// gzip (RFC 1952) of whole texts. Pure functions.

#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace tocsin {

// Packed quickly rather than tightly.
std::string Gzip(std::string_view text);

// All members, one behind the other. Errors: kInvalidArgument (no gzip, or a broken one),
// kResourceExhausted (more than `max_bytes` of text).
Result<std::string> Gunzip(std::string_view packed, std::size_t max_bytes);

}  // namespace tocsin
