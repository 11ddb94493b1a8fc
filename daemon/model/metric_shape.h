#pragma once

// What a MetricBatch has besides its numbers: families, and of each row its family, name
// and labels. Rows may be those of another shape, which is then shared. Not thread-safe
// while rows are added.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/model/metric_batch.h"

namespace tocsin::model {

class MetricBatch::Shape {
 public:
  struct Label {
    TextId name = 0;
    TextId value = 0;
  };
  struct Row {
    FamilyId family = 0;
    NameId name = 0;
    std::uint32_t first_label = 0;
    std::uint32_t label_count : 31 = 0;
    std::uint32_t has_time : 1 = 0;
  };
  struct HistogramNames {
    NameId bucket = 0, sum = 0, count = 0;
  };
  struct Declared {
    NameId name = 0;
    std::vector<TextId> label_names;
    std::optional<HistogramNames> of_histogram;  // From the first histogram row on.
  };
  // A row as it is read, and the shape that has its name and labels.
  struct Found {
    const Shape* shape = nullptr;
    std::size_t place = 0;  // Among that one's own rows.
    Row row;                // Its family is that of the shape that was asked.

    std::string_view name() const { return shape->View(shape->names[row.name]); }
    const Label& label(std::uint32_t index) const { return shape->labels[row.first_label + index]; }
  };

  std::size_t row_count() const { return own_rows_ + included_rows_; }
  Found At(std::size_t index) const {  // Requires: index < row_count().
    const bool is_simple = segments_.empty() && runs_.empty();
    return is_simple ? Found{this, index, rows_[index]} : AtPacked(index);
  }

  // Own rows. Requires: not shrunk.
  void AddRow(const Row& row);
  // The rows of another shape; `family_ids`: here, of each family there.
  void Include(std::shared_ptr<const Shape> shape, std::vector<FamilyId> family_ids);

  // A text in the arena has its size before it: one byte, or five for those of 255 and more.
  std::string_view View(TextId id) const {
    const char* text = arena.data() + id;
    const auto size = static_cast<unsigned char>(*text);
    if (size < kLongText) return {text + 1, size};
    std::uint32_t long_size = 0;
    std::memcpy(&long_size, text + 1, sizeof long_size);
    return {text + 1 + sizeof long_size, long_size};
  }
  TextId Store(std::string_view text);
  TextId StoreValue(std::string_view value);  // UTF-8, and not too long.
  // The same of a label that is added next, if the one so many labels before has the value
  // already: rows that follow each other are of one database and one schema.
  TextId StoreLabelValue(std::string_view value, std::size_t labels_before);
  NameId AddName(std::string_view name);
  // The name of the next row's sample: its family's, the last row's, or a new one.
  NameId NameOf(FamilyId family, std::string_view sample_name);

  // A row of `family` is about to be added.
  void FollowFamily(FamilyId family);
  // Where the labels of the new row stand already, if a row of the family before has them:
  // the families of one subject mostly have rows of the same labels in the same order.
  std::optional<std::uint32_t> FindLabels(const std::vector<TextId>& label_names,
                                          LabelValues values);

  void Clear();
  void ShrinkToFit();
  std::size_t MemoryBytes() const;  // Of its own.

  std::string arena;
  std::vector<Family> families;
  std::vector<Declared> declared;
  std::unordered_map<std::string, FamilyId> by_name;
  std::vector<TextId> names;  // Of samples.
  std::vector<Label> labels;

 private:
  // Rows that follow each other: own ones, or all of another shape.
  struct Segment {
    std::size_t begin = 0;     // The first of them, among all rows.
    std::size_t own_rows = 0;  // How many own ones are before it.
    std::shared_ptr<const Shape> included;
    std::vector<FamilyId> families;  // Here, of each family there.
  };
  // Own rows that are alike but for their labels, which stand at equal distances.
  struct Run {
    std::size_t begin = 0;  // The first of them, among the own rows.
    Row first;
    std::uint32_t stride = 0;

    Row RowAt(std::size_t place) const;
  };

  static constexpr unsigned char kLongText = 255;

  Found AtPacked(std::size_t index) const;
  Row OwnRow(std::size_t place) const;
  void PackRows();
  bool HasLabels(const Row& row, const std::vector<TextId>& label_names, LabelValues values) const;

  std::vector<Row> rows_;  // Own ones,
  std::vector<Run> runs_;  // or the same, once it was shrunk.
  std::size_t own_rows_ = 0;
  std::vector<Segment> segments_;  // By `begin`; none: all rows are own ones.
  std::size_t included_rows_ = 0;
  std::size_t family_begin_ = 0;  // The first of the last rows that are of one family.
  std::size_t like_ = 0;          // A row before it that the next one may be like.
};

}  // namespace tocsin::model
