#include "collectors/postgres/emitter.h"

#include <algorithm>

#include "daemon/base/check.h"

namespace tocsin::collectors::postgres {

Emitter::LabelValues Emitter::WithServer(LabelValues labels, std::string_view last) {
  if (server_.empty()) return labels;
  TOCSIN_CHECK(labels.size() < kMostLabels);
  std::copy(labels.begin(), labels.end(), row_.begin());
  row_[labels.size()] = last;
  return LabelValues(row_.data(), labels.size() + 1);
}

Emitter::FamilyId Emitter::Declare(std::string_view name, std::string_view help,
                                   model::MetricType type, LabelValues labels) {
  return batch_.DeclareFamily(name, help, type, WithServer(labels, "server"));
}

void Emitter::Add(FamilyId family, LabelValues labels, double value) {
  batch_.Add(family, WithServer(labels, server_), value);
}

void Emitter::AddHistogram(FamilyId family, LabelValues labels,
                           const model::MetricBatch::HistogramValue& histogram) {
  batch_.AddHistogram(family, WithServer(labels, server_), histogram);
}

}  // namespace tocsin::collectors::postgres
