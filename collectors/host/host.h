#pragma once

// Targets of kind host: the machine this daemon runs on, read from procfs and
// sysfs under node_exporter's names, and the CPU and memory of the PostgreSQL,
// PgBouncer and Redis processes on it.

#include "collectors/collector.h"

namespace tocsin::collectors::host {

// Reads `procfs`, `sysfs` and `rootfs` (/proc, /sys and / unless the host's are
// mounted elsewhere, as in a container). `instance` is the host's name.
ParsedTarget ParseHostTarget(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::host
