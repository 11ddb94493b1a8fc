#include "daemon/model/metric_batch.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/text.h"
#include "daemon/model/metric_shape.h"

namespace tocsin::model {

std::string_view MetricTypeName(MetricType type) {
  switch (type) {
    case MetricType::kUnknown: return "untyped";
    case MetricType::kGauge: return "gauge";
    case MetricType::kCounter: return "counter";
    case MetricType::kHistogram: return "histogram";
    case MetricType::kSummary: return "summary";
    case MetricType::kInfo: return "info";
    case MetricType::kStateSet: return "stateset";
  }
  return "untyped";
}

MetricBatch::MetricBatch() : own_(std::make_shared<Shape>()), shape_(own_) {}
MetricBatch::~MetricBatch() = default;

MetricBatch::FamilyId MetricBatch::DeclareFamily(
    std::string_view name, std::string_view help, MetricType type,
    std::initializer_list<std::string_view> label_names) {
  return DeclareFamily(name, help, type, LabelValues(label_names.begin(), label_names.size()));
}

MetricBatch::FamilyId MetricBatch::DeclareFamily(std::string_view name, std::string_view help,
                                                 MetricType type, LabelValues label_names) {
  const auto [entry, is_new] =
      own_->by_name.try_emplace(std::string(name), static_cast<FamilyId>(own_->families.size()));
  if (!is_new) {
    const Family& known = own_->families[entry->second];
    TOCSIN_CHECK(std::equal(known.label_names.begin(), known.label_names.end(), label_names.begin(),
                            label_names.end()));
    return entry->second;
  }
  Family family{std::string(name), std::string(help), type,
                std::vector<std::string>(label_names.begin(), label_names.end()), part_};
  Shape::Declared declared;
  declared.name = own_->AddName(name);
  for (const std::string_view label : label_names) {
    declared.label_names.push_back(own_->Store(label));
  }
  own_->families.push_back(std::move(family));
  own_->declared.push_back(std::move(declared));
  return entry->second;
}

void MetricBatch::BeginPart(std::string_view name) {
  part_ = parts_.size();
  parts_.push_back({std::string(name), {}});
}

void MetricBatch::FailPart(std::string error) {
  TOCSIN_CHECK(part_.has_value());
  parts_[*part_].error = error.empty() ? "failed" : std::move(error);
}

void MetricBatch::Add(FamilyId family, double value) { Add(family, LabelValues(), value); }

void MetricBatch::Add(FamilyId family, std::initializer_list<std::string_view> label_values,
                      double value) {
  Add(family, LabelValues(label_values.begin(), label_values.size()), value);
}

void MetricBatch::Add(FamilyId family, LabelValues label_values, double value) {
  AddRow(family, own_->declared[family].name, label_values, std::nullopt, value);
}

void MetricBatch::AddHistogram(FamilyId family, LabelValues label_values,
                               const HistogramValue& histogram) {
  TOCSIN_CHECK(histogram.counts.size() == histogram.upper_bounds.size() + 1);
  auto& names = own_->declared[family].of_histogram;
  if (!names) {
    const std::string& name = own_->families[family].name;
    names = {own_->AddName(name + "_bucket"), own_->AddName(name + "_sum"),
             own_->AddName(name + "_count")};
  }
  const TextId le = own_->Store("le");
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    total += histogram.counts[i];
    const bool is_last = i == histogram.upper_bounds.size();
    const TextId bound = own_->Store(is_last ? "+Inf" : FormatDouble(histogram.upper_bounds[i]));
    AddRow(family, names->bucket, label_values, std::pair(le, bound), static_cast<double>(total));
  }
  AddRow(family, names->sum, label_values, std::nullopt, histogram.sum);
  AddRow(family, names->count, label_values, std::nullopt, static_cast<double>(total));
}

void MetricBatch::AddGauge(std::string_view name, std::string_view help, double value) {
  Add(DeclareFamily(name, help, MetricType::kGauge), value);
}

void MetricBatch::AddCounter(std::string_view name, std::string_view help, double value) {
  Add(DeclareFamily(name, help, MetricType::kCounter), value);
}

void MetricBatch::AddSample(FamilyId family, std::string_view sample_name,
                            std::span<const LabelView> labels, double value,
                            std::optional<std::int64_t> time_ms) {
  Shape& shape = *own_;
  Shape::Row row;
  row.family = family;
  row.name = shape.NameOf(family, sample_name);
  row.has_time = time_ms.has_value() ? 1 : 0;
  row.first_label = static_cast<std::uint32_t>(shape.labels.size());
  row.label_count = static_cast<std::uint32_t>(labels.size());
  for (const auto& [name, label_value] : labels) {
    const TextId stored_name = shape.Store(name);
    shape.labels.push_back({stored_name, shape.StoreValue(label_value)});
  }
  shape.AddRow(row);
  AddNumber(value);
  if (!time_ms) return;
  times_ms_.resize(values_.size());
  times_ms_.back() = *time_ms;
}

void MetricBatch::AddRow(FamilyId family, NameId name, LabelValues label_values,
                         std::optional<std::pair<TextId, TextId>> extra_label, double value) {
  Shape& shape = *own_;
  const std::vector<TextId>& names = shape.declared[family].label_names;
  TOCSIN_CHECK(names.size() == label_values.size());
  Shape::Row row;
  row.family = family;
  row.name = name;
  row.label_count = static_cast<std::uint32_t>(names.size() + (extra_label ? 1 : 0));
  shape.FollowFamily(family);
  const auto known = extra_label ? std::nullopt : shape.FindLabels(names, label_values);
  if (known) {
    row.first_label = *known;
  } else {
    row.first_label = static_cast<std::uint32_t>(shape.labels.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      shape.labels.push_back({names[i], shape.StoreLabelValue(label_values[i], names.size())});
    }
    if (extra_label) shape.labels.push_back({extra_label->first, extra_label->second});
  }
  shape.AddRow(row);
  AddNumber(value);
}

void MetricBatch::Include(const MetricBatch& other) {
  std::vector<FamilyId> ids;
  ids.reserve(other.families().size());
  for (const Family& family : other.families()) {
    const std::vector<std::string_view> labels(family.label_names.begin(),
                                               family.label_names.end());
    ids.push_back(DeclareFamily(family.name, family.help, family.type, LabelValues(labels)));
  }
  if (other.values_.empty()) return;
  if (!other.times_ms_.empty()) {
    times_ms_.resize(values_.size());
    times_ms_.insert(times_ms_.end(), other.times_ms_.begin(), other.times_ms_.end());
  }
  own_->Include(other.shape_, std::move(ids));
  values_.reserve(std::max(values_.size() + other.values_.size(), values_.size() / 8 * 9));
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

MetricBatch::Row MetricBatch::row(std::size_t index) const {
  const Shape::Found found = shape_->At(index);
  Row row;
  row.family = found.row.family;
  row.name = found.name();
  row.value = values_[index];
  if (found.row.has_time != 0) row.time_ms = times_ms_[index];
  row.label_count = found.row.label_count;
  row.shape = found.shape;
  row.first_label = found.row.first_label;
  return row;
}

LabelView MetricBatch::Row::label(std::uint32_t index) const {
  const Shape::Label& label = shape->labels[first_label + index];
  return {shape->View(label.name), shape->View(label.value)};
}

bool MetricBatch::SameSeries(const Shape& a, std::size_t row_of_a, const Shape& b,
                             std::size_t row_of_b) {
  const Shape::Found one = a.At(row_of_a);
  const Shape::Found other = b.At(row_of_b);
  if (one.shape == other.shape && one.place == other.place) return true;  // Both include it.
  if (one.row.label_count != other.row.label_count || one.name() != other.name()) return false;
  for (std::uint32_t i = 0; i < one.row.label_count; ++i) {
    const Shape::Label& label = one.label(i);
    const Shape::Label& like = other.label(i);
    if (one.shape->View(label.value) != other.shape->View(like.value) ||
        one.shape->View(label.name) != other.shape->View(like.name)) {
      return false;
    }
  }
  return true;
}

std::size_t MetricBatch::HashSeries(const Shape& shape, std::size_t row) {
  const auto hash = [](std::size_t before, std::string_view text) {
    constexpr std::size_t kOddConstant = 0x9E3779B97F4A7C15;
    return (before ^ std::hash<std::string_view>()(text)) * kOddConstant;
  };
  const Shape::Found found = shape.At(row);
  std::size_t result = hash(0, found.name());
  for (std::uint32_t i = 0; i < found.row.label_count; ++i) {
    const Shape::Label& label = found.label(i);
    result = hash(hash(result, found.shape->View(label.name)), found.shape->View(label.value));
  }
  return result;
}

const std::vector<MetricBatch::Family>& MetricBatch::families() const { return shape_->families; }

void MetricBatch::Repeat(std::shared_ptr<const Shape> shape) {
  TOCSIN_CHECK(values_.empty());
  own_.reset();
  shape_ = std::move(shape);
  values_.reserve(shape_->row_count());
}

void MetricBatch::ShrinkToFit() {
  if (own_ != nullptr) own_->ShrinkToFit();
  values_.shrink_to_fit();
  times_ms_.shrink_to_fit();
}

void MetricBatch::Clear() {
  values_.clear();
  times_ms_.clear();
  notes_.clear();
  dropped_ = 0;
  parts_.clear();
  part_.reset();
  constexpr std::size_t kMostRowsKept = 200'000;
  constexpr long kOurs = 2;  // own_ and shape_.
  const bool is_usual = values_.capacity() <= kMostRowsKept;
  if (!is_usual) {
    values_ = std::vector<double>();  // "{}" would keep the memory.
    times_ms_ = std::vector<std::int64_t>();
  }
  if (is_usual && own_ != nullptr && own_.use_count() == kOurs) {
    own_->Clear();
    return;
  }
  own_ = std::make_shared<Shape>();
  shape_ = own_;
}

std::size_t MetricBatch::MemoryBytes() const {
  return shape_->MemoryBytes() + values_.capacity() * sizeof(double) +
         times_ms_.capacity() * sizeof(std::int64_t);
}

}  // namespace tocsin::model
