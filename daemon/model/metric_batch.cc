#include "daemon/model/metric_batch.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/text.h"

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

class MetricBatch::Shape {
 public:
  struct Label {
    Bytes name;
    Bytes value;
  };
  struct Row {
    FamilyId family = 0;
    Bytes name;
    bool has_time = false;
    std::uint32_t first_label = 0;
    std::uint32_t label_count = 0;
  };
  struct Declared {
    Bytes name;
    std::vector<Bytes> label_names;
    Bytes bucket_name, sum_name, count_name;  // Filled at the first histogram row.
  };

  std::string_view View(Bytes bytes) const { return {arena.data() + bytes.offset, bytes.size}; }

  Bytes Store(std::string_view text) {
    const Bytes bytes{static_cast<std::uint32_t>(arena.size()),
                      static_cast<std::uint32_t>(text.size())};
    TOCSIN_CHECK(arena.size() + text.size() < UINT32_MAX);
    arena.append(text);
    return bytes;
  }

  Bytes StoreValue(std::string_view value) {
    const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0; });
    if (ascii && value.size() <= kMaxLabelValueBytes) return Store(value);
    std::string mended = ascii ? std::string(value) : ValidUtf8(value);
    if (mended.size() > kMaxLabelValueBytes) {
      std::size_t cut = kMaxLabelValueBytes;
      while (cut > 0 && (static_cast<unsigned char>(mended[cut]) & 0xC0) == 0x80) --cut;
      mended.resize(cut);
    }
    return Store(mended);
  }

  // A row of `family` is about to be added.
  void FollowRuns(FamilyId family) {
    if (!rows.empty() && rows.back().family == family) return;
    like_ = std::exchange(run_begin_, rows.size());
  }

  // Where the labels of the new row stand already, if a row of the family before has them:
  // the families of one subject mostly have rows of the same labels in the same order.
  std::optional<std::uint32_t> FindLabels(const std::vector<Bytes>& names, LabelValues values) {
    constexpr std::size_t kTries = 2;  // One row may be missing here.
    for (std::size_t at = like_; at < std::min(like_ + kTries, run_begin_); ++at) {
      if (!HasLabels(rows[at], names, values)) continue;
      like_ = at + 1;
      return rows[at].first_label;
    }
    return std::nullopt;
  }

  void Clear() {
    arena.clear();
    families.clear();
    declared.clear();
    by_name.clear();
    labels.clear();
    rows.clear();
    run_begin_ = 0;
    like_ = 0;
  }

  std::string arena;
  std::vector<Family> families;
  std::vector<Declared> declared;
  std::unordered_map<std::string, FamilyId> by_name;
  std::vector<Label> labels;
  std::vector<Row> rows;

 private:
  bool HasLabels(const Row& row, const std::vector<Bytes>& names, LabelValues values) const {
    if (row.label_count != values.size()) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Label& label = labels[row.first_label + i];
      if (View(label.value) != values[i] || View(label.name) != View(names[i])) return false;
    }
    return true;
  }

  std::size_t run_begin_ = 0;  // The first of the last rows that are of one family.
  std::size_t like_ = 0;       // A row before it that the next one may be like.
};

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
  declared.name = own_->Store(name);
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
  if (own_->declared[family].bucket_name.size == 0) {
    const std::string name = own_->families[family].name;
    const Bytes bucket = own_->Store(name + "_bucket");
    const Bytes sum = own_->Store(name + "_sum");
    const Bytes count = own_->Store(name + "_count");
    own_->declared[family].bucket_name = bucket;
    own_->declared[family].sum_name = sum;
    own_->declared[family].count_name = count;
  }
  const Bytes le = own_->Store("le");
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    total += histogram.counts[i];
    const bool is_last = i == histogram.upper_bounds.size();
    const Bytes bound = own_->Store(is_last ? "+Inf" : FormatDouble(histogram.upper_bounds[i]));
    AddRow(family, own_->declared[family].bucket_name, label_values, std::pair(le, bound),
           static_cast<double>(total));
  }
  AddRow(family, own_->declared[family].sum_name, label_values, std::nullopt, histogram.sum);
  AddRow(family, own_->declared[family].count_name, label_values, std::nullopt,
         static_cast<double>(total));
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
  row.name = sample_name == shape.families[family].name ? shape.declared[family].name
                                                        : shape.Store(sample_name);
  row.has_time = time_ms.has_value();
  row.first_label = static_cast<std::uint32_t>(shape.labels.size());
  row.label_count = static_cast<std::uint32_t>(labels.size());
  for (const auto& [name, label_value] : labels) {
    const Bytes stored_name = shape.Store(name);
    shape.labels.push_back({stored_name, shape.StoreValue(label_value)});
  }
  shape.rows.push_back(row);
  AddNumber(value, time_ms.value_or(0));
}

void MetricBatch::AddRow(FamilyId family, Bytes name, LabelValues label_values,
                         std::optional<std::pair<Bytes, Bytes>> extra_label, double value) {
  Shape& shape = *own_;
  const std::vector<Bytes>& names = shape.declared[family].label_names;
  TOCSIN_CHECK(names.size() == label_values.size());
  Shape::Row row;
  row.family = family;
  row.name = name;
  row.label_count = static_cast<std::uint32_t>(names.size() + (extra_label ? 1 : 0));
  shape.FollowRuns(family);
  const auto known = extra_label ? std::nullopt : shape.FindLabels(names, label_values);
  if (known) {
    row.first_label = *known;
  } else {
    row.first_label = static_cast<std::uint32_t>(shape.labels.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      shape.labels.push_back({names[i], shape.StoreValue(label_values[i])});
    }
    if (extra_label) shape.labels.push_back({extra_label->first, extra_label->second});
  }
  shape.rows.push_back(row);
  AddNumber(value, 0);
}

MetricBatch::Row MetricBatch::row(std::size_t index) const {
  const Shape::Row& stored = shape_->rows[index];
  Row row;
  row.family = stored.family;
  row.name = shape_->View(stored.name);
  row.value = numbers_[index].value;
  if (stored.has_time) row.time_ms = numbers_[index].time_ms;
  row.first_label = stored.first_label;
  row.label_count = stored.label_count;
  return row;
}

LabelView MetricBatch::label(std::uint32_t index) const {
  const Shape::Label& label = shape_->labels[index];
  return {shape_->View(label.name), shape_->View(label.value)};
}

bool MetricBatch::SameSeries(const Shape& a, std::size_t row_of_a, const Shape& b,
                             std::size_t row_of_b) {
  const Shape::Row& one = a.rows[row_of_a];
  const Shape::Row& other = b.rows[row_of_b];
  if (one.label_count != other.label_count || a.View(one.name) != b.View(other.name)) return false;
  for (std::uint32_t i = 0; i < one.label_count; ++i) {
    const Shape::Label& label = a.labels[one.first_label + i];
    const Shape::Label& like = b.labels[other.first_label + i];
    if (a.View(label.value) != b.View(like.value) || a.View(label.name) != b.View(like.name)) {
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
  const Shape::Row& stored = shape.rows[row];
  std::size_t result = hash(0, shape.View(stored.name));
  for (std::uint32_t i = 0; i < stored.label_count; ++i) {
    const Shape::Label& label = shape.labels[stored.first_label + i];
    result = hash(hash(result, shape.View(label.name)), shape.View(label.value));
  }
  return result;
}

const std::vector<MetricBatch::Family>& MetricBatch::families() const { return shape_->families; }

void MetricBatch::Repeat(std::shared_ptr<const Shape> shape) {
  TOCSIN_CHECK(numbers_.empty());
  own_.reset();
  shape_ = std::move(shape);
  numbers_.reserve(shape_->rows.size());
}

void MetricBatch::Clear() {
  numbers_.clear();
  notes_.clear();
  dropped_ = 0;
  parts_.clear();
  part_.reset();
  constexpr long kOurs = 2;  // own_ and shape_.
  if (own_ != nullptr && own_.use_count() == kOurs) {
    own_->Clear();
    return;
  }
  own_ = std::make_shared<Shape>();
  shape_ = own_;
}

std::size_t MetricBatch::MemoryBytes() const {
  return shape_->arena.capacity() + shape_->labels.capacity() * sizeof(Shape::Label) +
         shape_->rows.capacity() * sizeof(Shape::Row) + numbers_.capacity() * sizeof(Number);
}

}  // namespace tocsin::model
