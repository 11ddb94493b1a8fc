#include "collectors/postgres/postgres.h"

#include <memory>
#include <utility>

#include "collectors/postgres/advice.h"
#include "collectors/postgres/collector.h"
#include "collectors/postgres/postgres_config.h"

namespace tocsin::collectors::postgres {

ParsedTarget ParsePostgresTarget(ConfigReader& reader, FileSystem& files) {
  PostgresOptions options = ParsePostgresOptions(reader, files);
  ParsedTarget target;
  target.instance = options.instance;
  target.address = options.instance;
  for (const auto& [keyword, value] : options.connection) {
    if (keyword == "dbname") target.address += "/" + value;
  }
  target.examine = [options](const CollectorEnvironment& environment,
                             const CollectContext& context) {
    return Examine(options, environment, context);
  };
  target.make = [options = std::move(options)](const CollectorEnvironment& environment) {
    return AnyCollector(std::make_unique<PostgresCollector>(options, environment));
  };
  return target;
}

}  // namespace tocsin::collectors::postgres
