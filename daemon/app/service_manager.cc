#include "daemon/app/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

namespace tocsin::app {

void TellReady(const std::string& status) { sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str()); }

void TellReloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
             static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

void TellStopping() { sd_notify(0, "STOPPING=1"); }

void TellAlive() { sd_notify(0, "WATCHDOG=1"); }

std::optional<Millis> WatchdogInterval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return Millis(static_cast<std::int64_t>(microseconds / 2000));
}

}  // namespace tocsin::app
