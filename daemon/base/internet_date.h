#pragma once

// Dates as mails and HTTP headers have them, in English whatever the locale is. Pure.

#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace tocsin {

// "Wed, 25 Nov 2026 20:28:41 GMT", in UTC; `zone` is how the format at hand calls it:
// "GMT" in HTTP (RFC 9110, 5.6.7), "+0000" in mails (RFC 5322, 3.3).
std::string InternetDate(WallTime time, std::string_view zone);

}  // namespace tocsin
