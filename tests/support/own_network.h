#pragma once

// A network of this process' own (Linux' network namespace): what listens on the host
// is out of sight, and well-known ports are free. For tests of discovery, which must
// find the test's servers and nobody else's.

#include "daemon/base/result.h"

namespace tocsin::testing {

// Moves this process, and all it starts from then on, into a network with nothing but
// the loopback device, and gives it an empty /var/run/postgresql. Call it before any
// thread is started; a second call does nothing.
// Errors: kPermissionDenied where the kernel does not allow it.
Result<> EnterOwnNetwork();

}  // namespace tocsin::testing
