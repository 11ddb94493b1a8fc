#include "collectors/postgres/emitter.h"

#include <algorithm>
#include <iterator>

#include "daemon/base/check.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kStillIn020[] = {"pg_stat_database_conflicts_"};
constexpr std::string_view kUntil020[] = {
    "pg_settings_",      "pg_stat_activity_count", "pg_stat_activity_max_tx_duration",
    "pg_stat_archiver_", "pg_stat_replication_",   "pg_replication_slots_"};

}  // namespace

bool Emitter::HasServer(std::string_view family) const {
  if (server_.empty()) return false;
  if (names_ == Names::k011) return true;
  const auto is_one_of = [&](const auto& prefixes) {
    return std::any_of(std::begin(prefixes), std::end(prefixes),
                       [&](std::string_view prefix) { return family.starts_with(prefix); });
  };
  return is_one_of(kStillIn020) || (names_ == Names::k015 && is_one_of(kUntil020));
}

Emitter::LabelValues Emitter::WithServer(LabelValues labels, std::string_view last) {
  TOCSIN_CHECK(labels.size() < kMostLabels);
  std::copy(labels.begin(), labels.end(), row_.begin());
  row_[labels.size()] = last;
  return LabelValues(row_.data(), labels.size() + 1);
}

Emitter::FamilyId Emitter::Declare(std::string_view name, std::string_view help,
                                   model::MetricType type, LabelValues labels) {
  const bool has_server = HasServer(name);
  if (has_server) labels = WithServer(labels, "server");
  return {batch_.DeclareFamily(name, help, type, labels), has_server};
}

void Emitter::Add(FamilyId family, LabelValues labels, double value) {
  batch_.Add(family.id, family.has_server ? WithServer(labels, server_) : labels, value);
}

void Emitter::AddHistogram(FamilyId family, LabelValues labels,
                           const model::MetricBatch::HistogramValue& histogram) {
  batch_.AddHistogram(family.id, family.has_server ? WithServer(labels, server_) : labels,
                      histogram);
}

}  // namespace tocsin::collectors::postgres
