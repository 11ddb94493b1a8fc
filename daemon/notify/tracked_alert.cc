#include "daemon/notify/tracked_alert.h"

#include <algorithm>

namespace tocsin::notify {

AlertPtr MergeAlert(const TrackedAlert* known, model::Alert incoming, Moment now,
                    Millis resolve_timeout) {
  auto merged = std::make_shared<TrackedAlert>();
  model::Alert& alert = merged->alert;
  alert = std::move(incoming);
  alert.updated_at = now.wall;
  const WallTime unset{};
  if (alert.ends_at == unset) {
    alert.ends_at = now.wall + resolve_timeout;
    alert.ends_by_timeout = true;
    if (alert.starts_at == unset) alert.starts_at = now.wall;
  } else if (alert.starts_at == unset) {
    alert.starts_at = std::min(alert.ends_at, now.wall);
  }
  if (known) {
    const model::Alert& old = known->alert;
    const bool overlaps = alert.starts_at <= old.ends_at && old.starts_at <= alert.ends_at;
    if (!known->resolved || overlaps) alert.starts_at = std::min(alert.starts_at, old.starts_at);
    const bool old_end_was_told = !known->resolved && !old.ends_by_timeout;
    if (alert.ends_by_timeout && old_end_was_told && old.ends_at > alert.ends_at) {
      alert.ends_at = old.ends_at;
      alert.ends_by_timeout = false;
    }
  }
  merged->fingerprint = alert.labels.Fingerprint();
  merged->resolved = alert.ResolvedAt(now.wall);
  merged->expires_at = now.SteadyAt(alert.ends_at);
  return merged;
}

AlertPtr EndAlert(const TrackedAlert& alert, Moment now) {
  auto ended = std::make_shared<TrackedAlert>(alert);
  ended->resolved = true;
  ended->alert.ends_at = now.wall;
  ended->alert.updated_at = now.wall;
  return ended;
}

AlertPtr RestoreAlert(model::Alert alert, bool resolved, Moment now, Millis grace) {
  auto restored = std::make_shared<TrackedAlert>();
  restored->fingerprint = alert.labels.Fingerprint();
  restored->resolved = resolved;
  if (!resolved) alert.ends_at = std::max(alert.ends_at, now.wall + grace);
  restored->expires_at = now.SteadyAt(alert.ends_at);
  restored->alert = std::move(alert);
  return restored;
}

}  // namespace tocsin::notify
