#pragma once

// Base64 of RFC 4648, with padding.

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace tocsin {

enum class Base64Alphabet {
  kStandard,
  kUrl,  // "-" and "_" for "+" and "/".
};

std::string EncodeBase64(std::string_view bytes,
                         Base64Alphabet alphabet = Base64Alphabet::kStandard);

// Errors: kInvalidArgument, which names the first byte that is wrong; the padding must
// be whole.
Result<std::string> DecodeBase64(std::string_view text,
                                 Base64Alphabet alphabet = Base64Alphabet::kStandard);

}  // namespace tocsin
