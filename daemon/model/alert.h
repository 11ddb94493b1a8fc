#pragma once

// An alert as it travels from the rules (or from another Prometheus, over
// POST /api/v2/alerts) to notify. Its identity is its label set.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/model/labels.h"

namespace tocsin::model {

enum class Severity { kNone, kWarning, kCritical };  // From the label "severity".

struct Alert {
  Labels labels;       // With alertname.
  Labels annotations;  // Expanded.
  WallTime starts_at{};
  // Firing while ends_at is in the future; resolved once it has passed.
  WallTime ends_at{};
  WallTime updated_at{};
  std::string generator_url;
  std::optional<double>
      value;  // The expression's at the last evaluation; at resolve, the current one.
  bool ends_by_timeout = false;  // ends_at was assumed, not told.
  std::string resolve_reason;    // "", "no data", "rule removed".

  bool ResolvedAt(WallTime now) const { return ends_at <= now; }
};

Severity SeverityOf(const Labels& labels);

}  // namespace tocsin::model
