#include "tests/support/batch_reader.h"

#include <vector>

#include "daemon/model/labels.h"

namespace tocsin::testing {
namespace {

std::string SeriesText(const model::MetricBatch::Row& row) {
  std::map<std::string_view, std::string_view> labels;
  for (std::uint32_t i = 0; i < row.label_count; ++i) {
    auto [name, value] = row.label(i);
    if (!value.empty()) labels.emplace(name, value);
  }
  std::string text(row.name);
  if (labels.empty()) return text;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    text += separator;
    text.append(name).append("=").append(model::QuoteLabelValue(value));
    separator = ',';
  }
  return text + "}";
}

}  // namespace

std::optional<double> Value(const model::MetricBatch& batch, std::string_view series) {
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    auto row = batch.row(i);
    if (SeriesText(row) == series) return row.value;
  }
  return std::nullopt;
}

std::map<std::string, double> Series(const model::MetricBatch& batch) {
  std::map<std::string, double> series;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    auto row = batch.row(i);
    series[SeriesText(row)] = row.value;
  }
  return series;
}

std::map<std::string, std::string> FamilyTypes(const model::MetricBatch& batch) {
  std::map<std::string, std::string> types;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto& family = batch.families()[batch.row(i).family];
    types[family.name] = model::MetricTypeName(family.type);
  }
  return types;
}

std::set<std::string> Duplicates(const model::MetricBatch& batch) {
  std::set<std::string> seen;
  std::set<std::string> duplicates;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    std::string text = SeriesText(batch.row(i));
    if (!seen.insert(text).second) duplicates.insert(text);
  }
  return duplicates;
}

}  // namespace tocsin::testing
