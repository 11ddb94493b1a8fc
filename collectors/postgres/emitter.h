#pragma once

// Where subjects put their series: a MetricBatch, with the label "server" where a profile of
// names has it. postgres_exporter 0.11 puts it on every series, those before 0.20 on what they
// made of their old table of queries, and 0.20 on what is left of that.

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "collectors/postgres/postgres_config.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::postgres {

// Not thread-safe. `batch` must outlive it.
class Emitter {
 public:
  struct FamilyId {
    model::MetricBatch::FamilyId id = 0;
    bool has_server = false;
  };
  using LabelValues = model::MetricBatch::LabelValues;

  static constexpr std::size_t kMostLabels = 12;

  // `server` is the label's value; empty: no series gets it.
  Emitter(model::MetricBatch& batch, Names names, std::string server)
      : batch_(batch), names_(names), server_(std::move(server)) {}

  // As MetricBatch. Requires: fewer than kMostLabels label names.
  FamilyId Declare(std::string_view name, std::string_view help, model::MetricType type,
                   LabelValues labels);
  FamilyId Declare(std::string_view name, std::string_view help, model::MetricType type,
                   std::initializer_list<std::string_view> labels = {}) {
    return Declare(name, help, type, LabelValues(labels.begin(), labels.size()));
  }
  void Add(FamilyId family, LabelValues labels, double value);
  void Add(FamilyId family, std::initializer_list<std::string_view> labels, double value) {
    Add(family, LabelValues(labels.begin(), labels.size()), value);
  }
  void AddHistogram(FamilyId family, LabelValues labels,
                    const model::MetricBatch::HistogramValue& histogram);
  void Gauge(std::string_view name, std::string_view help, double value) {
    Add(Declare(name, help, model::MetricType::kGauge), {}, value);
  }
  void Note(std::string note) { batch_.AddNote(std::move(note)); }

 private:
  bool HasServer(std::string_view family) const;
  LabelValues WithServer(LabelValues labels, std::string_view last);

  model::MetricBatch& batch_;
  Names names_;
  std::string server_;
  std::array<std::string_view, kMostLabels> row_;
};

}  // namespace tocsin::collectors::postgres
