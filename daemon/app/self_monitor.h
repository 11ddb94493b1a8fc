#pragma once

// The daemon watches itself as one more target: its own metrics and its process'
// are polled, stored, judged and shown like any other's.

#include "collectors/collector.h"
#include "daemon/base/metrics.h"
#include "daemon/poll/poll_config.h"

namespace tocsin::app {

// The target `tocsin/self`; `registry` must outlive its polling.
poll::TargetConfig SelfTarget(const MetricRegistry& registry, Millis interval,
                              const std::string& instance);

}  // namespace tocsin::app
