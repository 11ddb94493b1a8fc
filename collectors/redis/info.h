#pragma once

// INFO's text, read by field name: forks and versions differ in what they say and
// in what order, and a field that is missing or strange costs only its metric.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

// "field:value" lines in order, the first of a name only. Views into the text.
class Info {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  explicit Info(std::string_view text);

  const std::vector<Field>& fields() const { return fields_; }
  // Empty if there is no such field.
  std::string_view Get(std::string_view name) const;
  std::optional<double> Number(std::string_view name) const;

 private:
  std::vector<Field> fields_;
  std::unordered_map<std::string_view, std::string_view> values_;
};

// A value as redis_exporter reads it: a number; ok and true are 1, err, fail and
// false are 0.
std::optional<double> InfoNumber(std::string_view text);

// The value of `name` in "a=1,b=2", nothing if it is not there.
std::optional<std::string_view> CommaField(std::string_view text, std::string_view name);

// The number after `prefix` ("db12", "slave0"), if that is all there is.
std::optional<std::int64_t> NumberedField(std::string_view name, std::string_view prefix);

// INFO's fields of a Sentinel, "master0", …: one for each master that it watches.
inline constexpr std::string_view kSentinelMasterPrefix = "master";

// Databases that exist: their numbers are filled with zeros when empty.
inline constexpr int kDefaultDatabases = 16;
inline constexpr int kMaxDatabases = 1'000;

// Commands and errors exported at most: modules and Lua scripts make names of their own.
inline constexpr std::size_t kMaxNamesPerFamily = 1'000;

// Writes all of INFO's metrics; returns how many names exceeded kMaxNamesPerFamily.
std::int64_t WriteInfo(const Info& info, int databases, WallTime now, model::MetricBatch& batch);

// Writes CLUSTER INFO's.
void WriteClusterInfo(const Info& info, model::MetricBatch& batch);

}  // namespace tocsin::collectors::redis
