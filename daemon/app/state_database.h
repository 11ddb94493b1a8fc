#pragma once

// Opens state.db, where the rules and notify keep what must survive anything.

#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/metrics.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"

namespace tocsin::app {

// The options every connection to state.db in `folder` uses.
Database::Options StateDatabaseOptions(const std::string& folder, const std::string& vfs);

// Opens it, making `folder` if it is missing. A damaged file is renamed to
// state.db.damaged-TIME with its journal, counted in tocsin_state_corruptions_total
// and logged; a new one is opened in its place: alerting goes on.
// Errors: kIoError, kPermissionDenied.
Result<std::unique_ptr<Database>> OpenStateDatabase(const std::string& folder,
                                                    const Database::Options& options,
                                                    const Clock& clock, FileSystem& files,
                                                    MetricRegistry& registry);

}  // namespace tocsin::app
