#pragma once

// A mail on its way out: who gets it, and how the server is to be met. It travels
// as an HttpRequest with the URL smtp://HOST:PORT (or smtps:// for TLS from the
// first byte), whose body is the whole message.

#include <string>
#include <vector>

#include "daemon/base/secret.h"

namespace tocsin {

struct MailEnvelope {
  std::string sender;                   // An address: "ops@example.com".
  std::vector<std::string> recipients;  // Addresses; at least one.
  std::string hello = "localhost";      // What we call ourselves.
  bool starttls = true;                 // STARTTLS or no mail; false: never. Not for smtps.
  std::string user;                     // Empty: no authentication.
  // At least one of them; with both, the server's list says which of its ways comes first.
  Secret password;       // For PLAIN and LOGIN, which show it to who listens.
  Secret secret;         // For CRAM-MD5, which does not.
  std::string identity;  // On whose behalf (PLAIN); usually empty.
};

// What a reply of the server was about.
enum class MailStep {
  kNone,
  kGreeting,
  kHello,
  kStartTls,
  kLogin,
  kSender,
  kRecipients,
  kContent,
  kFarewell,
};

// What the server said to one recipient.
struct MailReply {
  std::string recipient;
  int code = 0;
  std::string text;
};

}  // namespace tocsin
