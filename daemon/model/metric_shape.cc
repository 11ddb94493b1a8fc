#include "daemon/model/metric_shape.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/lean_push.h"
#include "daemon/base/text.h"

namespace tocsin::model {

MetricBatch::Shape::Row MetricBatch::Shape::Run::RowAt(std::size_t place) const {
  Row row = first;
  row.first_label += stride * static_cast<std::uint32_t>(place - begin);
  return row;
}

MetricBatch::Shape::Row MetricBatch::Shape::OwnRow(std::size_t place) const {
  if (runs_.empty()) return rows_[place];
  const auto behind = std::partition_point(runs_.begin(), runs_.end(),
                                           [place](const Run& run) { return run.begin <= place; });
  return (behind - 1)->RowAt(place);
}

MetricBatch::Shape::Found MetricBatch::Shape::AtPacked(std::size_t index) const {
  if (segments_.empty()) return {this, index, OwnRow(index)};
  const auto behind =
      std::partition_point(segments_.begin(), segments_.end(),
                           [index](const Segment& segment) { return segment.begin <= index; });
  const Segment& segment = *(behind - 1);
  const std::size_t place = index - segment.begin;
  if (segment.included == nullptr) {
    return {this, segment.own_rows + place, OwnRow(segment.own_rows + place)};
  }
  Found found = segment.included->At(place);
  found.row.family = segment.families[found.row.family];
  return found;
}

void MetricBatch::Shape::AddRow(const Row& row) {
  TOCSIN_CHECK(runs_.empty());
  if (!segments_.empty() && segments_.back().included != nullptr) {
    segments_.push_back({row_count(), own_rows_, nullptr, {}});
  }
  LeanPush(rows_, row);
  ++own_rows_;
}

void MetricBatch::Shape::Include(std::shared_ptr<const Shape> shape,
                                 std::vector<FamilyId> family_ids) {
  if (segments_.empty() && own_rows_ > 0) segments_.push_back({});
  const std::size_t count = shape->row_count();
  segments_.push_back({row_count(), own_rows_, std::move(shape), std::move(family_ids)});
  included_rows_ += count;
}

MetricBatch::TextId MetricBatch::Shape::Store(std::string_view text) {
  const std::size_t id = arena.size();
  TOCSIN_CHECK(id + sizeof(std::uint32_t) + 1 + text.size() < UINT32_MAX);
  if (text.size() < kLongText) {
    arena += static_cast<char>(text.size());
  } else {
    const auto size = static_cast<std::uint32_t>(text.size());
    arena += static_cast<char>(kLongText);
    arena.append(reinterpret_cast<const char*>(&size), sizeof size);
  }
  arena.append(text);
  return static_cast<TextId>(id);
}

MetricBatch::TextId MetricBatch::Shape::StoreValue(std::string_view value) {
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

MetricBatch::TextId MetricBatch::Shape::StoreLabelValue(std::string_view value,
                                                        std::size_t labels_before) {
  if (labels.size() >= labels_before) {
    const TextId before = labels[labels.size() - labels_before].value;
    if (View(before) == value) return before;
  }
  return StoreValue(value);
}

MetricBatch::NameId MetricBatch::Shape::AddName(std::string_view name) {
  names.push_back(Store(name));
  return static_cast<NameId>(names.size() - 1);
}

MetricBatch::NameId MetricBatch::Shape::NameOf(FamilyId family, std::string_view sample_name) {
  if (sample_name == families[family].name) return declared[family].name;
  if (!rows_.empty() && View(names[rows_.back().name]) == sample_name) return rows_.back().name;
  return AddName(sample_name);
}

void MetricBatch::Shape::FollowFamily(FamilyId family) {
  if (!rows_.empty() && rows_.back().family == family) return;
  like_ = std::exchange(family_begin_, rows_.size());
}

std::optional<std::uint32_t> MetricBatch::Shape::FindLabels(const std::vector<TextId>& label_names,
                                                            LabelValues values) {
  constexpr std::size_t kTries = 2;  // One row may be missing here.
  for (std::size_t at = like_; at < std::min(like_ + kTries, family_begin_); ++at) {
    if (!HasLabels(rows_[at], label_names, values)) continue;
    like_ = at + 1;
    return rows_[at].first_label;
  }
  return std::nullopt;
}

bool MetricBatch::Shape::HasLabels(const Row& row, const std::vector<TextId>& label_names,
                                   LabelValues values) const {
  if (row.label_count != values.size()) return false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Label& label = labels[row.first_label + i];
    if (View(label.value) != values[i] || View(label.name) != View(label_names[i])) return false;
  }
  return true;
}

void MetricBatch::Shape::Clear() {
  arena.clear();
  families.clear();
  declared.clear();
  by_name.clear();
  names.clear();
  labels.clear();
  rows_.clear();
  runs_.clear();
  own_rows_ = 0;
  segments_.clear();
  included_rows_ = 0;
  family_begin_ = 0;
  like_ = 0;
}

void MetricBatch::Shape::ShrinkToFit() {
  arena.shrink_to_fit();
  names.shrink_to_fit();
  labels.shrink_to_fit();
  PackRows();
  rows_.shrink_to_fit();
}

// Rows as runs, if they need less memory so.
void MetricBatch::Shape::PackRows() {
  std::vector<Run> runs;
  for (std::size_t place = 0; place < rows_.size(); ++place) {
    const Row& row = rows_[place];
    if (!runs.empty()) {
      Run& run = runs.back();
      const bool is_alike = row.family == run.first.family && row.name == run.first.name &&
                            row.label_count == run.first.label_count &&
                            row.has_time == run.first.has_time;
      if (is_alike && place == run.begin + 1) run.stride = row.first_label - run.first.first_label;
      if (is_alike && run.RowAt(place).first_label == row.first_label) continue;
    }
    runs.push_back({place, row, 0});
  }
  if (rows_.empty() || runs.size() * sizeof(Run) > rows_.size() * sizeof(Row)) return;
  runs.shrink_to_fit();
  runs_ = std::move(runs);
  rows_.clear();
}

std::size_t MetricBatch::Shape::MemoryBytes() const {
  return arena.capacity() + names.capacity() * sizeof(TextId) + labels.capacity() * sizeof(Label) +
         rows_.capacity() * sizeof(Row) + runs_.capacity() * sizeof(Run);
}

}  // namespace tocsin::model
