#include "daemon/app/state_database.h"

#include "daemon/base/log.h"

namespace tocsin::app {

Database::Options StateDatabaseOptions(const std::string& folder, const std::string& vfs) {
  Database::Options options;
  options.path = folder + "/state.db";
  options.durability = Durability::kEveryCommit;
  options.vfs = vfs;
  return options;
}

Result<std::unique_ptr<Database>> OpenStateDatabase(const std::string& folder,
                                                    const Database::Options& options,
                                                    const Clock& clock, FileSystem& files,
                                                    MetricRegistry& registry) {
  auto corruptions = registry.Counter("tocsin_state_corruptions_total",
                                      "Damaged state.db files set aside since the start.");
  if (options.vfs.empty()) TOCSIN_RETURN_IF_ERROR(files.MakeDirectory(folder));
  auto database = Database::Open(options);
  if (database.ok() || database.error().code != ErrorCode::kCorruption) return database;

  const std::string aside =
      options.path + ".damaged-" + std::to_string(ToUnixMillis(clock.WallNow()));
  LogError(
      "state.db is damaged and was set aside: alerts that were pending or silenced before "
      "this start are forgotten",
      {{"path", aside}, {"error", database.error().message}});
  TOCSIN_RETURN_IF_ERROR(files.Rename(options.path, aside));
  for (const std::string suffix : {"-wal", "-shm"}) {
    if (files.Status(options.path + suffix).ok()) {
      TOCSIN_RETURN_IF_ERROR(files.Rename(options.path + suffix, aside + suffix));
    }
  }
  corruptions.Add();
  return Database::Open(options);
}

}  // namespace tocsin::app
