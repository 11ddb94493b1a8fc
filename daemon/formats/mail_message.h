#pragma once

// A mail as it goes over the wire (RFC 5322, MIME): headers in ASCII with encoded
// words (RFC 2047), a text and an HTML part as alternatives, each in UTF-8 and
// quoted-printable. Nothing in a value can begin a header or a line of its own:
// control characters are spaces, and no line is longer than RFC 5322 allows.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace tocsin::formats {

struct MailAddress {
  std::string name;     // "Ann Ops"; may be empty.
  std::string address;  // "ann@example.com".
};

// A list of addresses as RFC 5322 writes one: `ann@x, Bob <bob@x>, "Carl, jr." <carl@x>`.
// Addresses are ASCII; of names any letter is good.
// Errors: kInvalidArgument with what could not be read; an empty list is one too.
Result<std::vector<MailAddress>> ParseMailAddresses(std::string_view text);

struct MailMessage {
  // Values in UTF-8. Those of IsMailAddressHeader() are lists of addresses.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string text;  // A part that is empty is left out.
  std::string html;
  // Stands between the parts; anything that begins with "=_" cannot occur in one.
  std::string boundary;
};

// The message, lines ending in CRLF. MIME's own headers follow `headers`.
std::string EncodeMail(const MailMessage& message);

// From, To, Cc, Bcc, Reply-To and Sender.
bool IsMailAddressHeader(std::string_view name);

// Whether `name` may be the name of a header.
bool IsMailHeaderName(std::string_view name);

}  // namespace tocsin::formats
