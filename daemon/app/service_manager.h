#pragma once

// What systemd is told (sd_notify): READY, RELOADING, STOPPING, WATCHDOG. Without
// systemd every call does nothing.

#include <optional>
#include <string>

#include "daemon/base/clock.h"

namespace tocsin::app {

void TellReady(const std::string& status);
void TellReloading();
void TellStopping();
void TellAlive();

// How often TellAlive() must be called: half of WatchdogSec=; nothing without one.
std::optional<Millis> WatchdogInterval();

}  // namespace tocsin::app
