#pragma once

// What a mail says unless it is told otherwise: "email.default.subject" (as
// Alertmanager's), "email.default.html" and "email.default.text" (our own words). Internal.

#include <string_view>

namespace tocsin::notify {

extern const std::string_view kMailTemplates;

}  // namespace tocsin::notify
