#pragma once

// Passwords as PostgreSQL and PgBouncer store them (RFC 5803, "SCRAM-SHA-256$…", and the
// older "md5…"), so that who sets up a role shows the password to nobody: neither to a
// terminal nor to a server's log. Stateless; thread-safe.

#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/base/secret.h"

namespace tocsin {

// A verifier of `password` with a random salt. Errors: kInvalidArgument for a password
// that is empty or holds other bytes than printable ASCII (others would have to be
// normalised first, RFC 4013); kInternal without random numbers.
Result<std::string> ScramVerifier(const Secret& password);

// Whether `verifier` was made of `password`; false also for what is no verifier.
bool ScramMatches(std::string_view verifier, const Secret& password);

// Whether `stored` is the older "md5…" of this user's password.
bool Md5Matches(std::string_view stored, std::string_view user, const Secret& password);

// A password of 32 random letters and digits. Errors: kInternal.
Result<Secret> GeneratePassword();

}  // namespace tocsin
