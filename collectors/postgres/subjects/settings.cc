#include "collectors/postgres/settings.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "collectors/postgres/subject.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

struct Unit {
  std::string_view name;
  double factor;
  std::string_view base;
};
constexpr Unit kUnits[] = {
    {"us", 1e-6, "seconds"},
    {"ms", 1e-3, "seconds"},
    {"s", 1, "seconds"},
    {"min", 60, "seconds"},
    {"h", 3600, "seconds"},
    {"d", 86400, "seconds"},
    {"B", 1, "bytes"},
    {"kB", 1024, "bytes"},
    {"MB", 1024.0 * 1024, "bytes"},
    {"GB", 1073741824.0, "bytes"},
    {"TB", 1099511627776.0, "bytes"},
};

}  // namespace

SettingUnit ParseSettingUnit(std::string_view unit) {
  // "8kB": a number of blocks of that size.
  double factor = 1;
  const auto digits =
      std::find_if(unit.begin(), unit.end(), [](char c) { return c < '0' || c > '9'; });
  if (digits != unit.begin()) {
    std::from_chars(unit.data(), unit.data() + (digits - unit.begin()), factor);
    unit.remove_prefix(static_cast<std::size_t>(digits - unit.begin()));
  }
  for (const Unit& known : kUnits) {
    if (known.name == unit) return {factor * known.factor, known.base};
  }
  return {1, {}};
}

std::optional<double> ParseSetting(std::string_view value, std::string_view type) {
  if (type == "bool") return value == "on" ? 1.0 : 0.0;
  return ParseDouble(value);
}

namespace {

// Reading all settings is the dearest of the usual queries; they change with a
// reload, a promotion, or a new connection.
constexpr std::chrono::minutes kReadAgainAfter{10};

// The value that everybody has: our own session's limits are not the server's.
Result<> ReadSettings(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      run.Query("SELECT name, CASE WHEN source = 'session' THEN reset_val ELSE setting END,"
                " coalesce(unit, ''), short_desc, vartype FROM pg_settings"
                " WHERE vartype IN ('bool', 'integer', 'real') AND name NOT IN"
                " ('sync_commit_cancel_wait', 'google_dataplex.max_messages')"));
  auto& gauges = run.memory.gauges;
  gauges.clear();
  for (int row = 0; row < rows.size(); ++row) {
    auto value = ParseSetting(rows.Text(row, 1), rows.Text(row, 4));
    if (!value) continue;
    std::string name = "pg_settings_" + std::string(rows.Text(row, 0));
    std::replace(name.begin(), name.end(), '.', '_');
    std::replace(name.begin(), name.end(), '-', '_');
    std::string help = run.options.names == Names::k011
                           ? std::string(rows.Text(row, 3))
                           : "Server Parameter: " + std::string(rows.Text(row, 0));
    const SettingUnit unit = ParseSettingUnit(rows.Text(row, 2));
    if (!unit.base.empty()) {
      name.append("_").append(unit.base);
      help.append(" [Units converted to ").append(unit.base).append(".]");
      if (*value != -1) *value *= unit.factor;
    }
    gauges.push_back({std::move(name), std::move(help), *value});
  }
  return {};
}

}  // namespace

Result<> CollectSettings(SubjectRun& run) {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows state,
      run.Query("SELECT concat(pg_conf_load_time(), ' ', pg_is_in_recovery(), ' ',"
                " pg_backend_pid())"));
  const std::string key(state.size() == 1 ? state.Text(0, 0) : std::string_view());
  const SteadyTime now = run.context.clock.SteadyNow();
  SubjectMemory& memory = run.memory;
  if (memory.key.empty() || memory.key != key || now - memory.read_at >= kReadAgainAfter) {
    memory.key.clear();
    TOCSIN_RETURN_IF_ERROR(ReadSettings(run));
    memory.key = key;
    memory.read_at = now;
  }
  for (const NamedGauge& gauge : memory.gauges) {
    run.out.Gauge(gauge.name, gauge.help, gauge.value);
  }
  return {};
}

}  // namespace tocsin::collectors::postgres
