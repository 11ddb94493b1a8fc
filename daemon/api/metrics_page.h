#pragma once

// The page of all targets' latest numbers, for /metrics and the Pushgateway.

#include <string>

#include "daemon/poll/poller.h"

namespace tocsin::api {

// Every target's rows with its job and instance, without times: the Pushgateway
// refuses pages that have them. Thread-safe.
std::string PushedPage(const poll::Poller& poller);

}  // namespace tocsin::api
