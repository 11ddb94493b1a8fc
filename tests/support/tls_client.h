#pragma once

// A client that says over TLS whatever a test wants said.

#include <string>

namespace tocsin::testing {

// Connects to 127.0.0.1, sends `text` over TLS and returns all that comes back until the
// other side closes; empty if there is no TLS. Certificates are not looked at.
std::string TalkTls(int port, const std::string& text);

// The same without TLS.
std::string TalkPlainly(int port, const std::string& text);

}  // namespace tocsin::testing
