#pragma once

// What one collection brought: families (name, help, type, label names, each
// said once) and rows of label values and numbers. Built for 300,000 rows: bytes
// lie in one arena, a row costs no allocation, families that follow each other share
// the labels of their rows, and Clear() keeps what memory is usual for the next one. A
// collection that brings rows of another one again, all of them or some, can share all
// but the numbers. Not thread-safe.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/base/lean_push.h"
#include "daemon/model/labels.h"

namespace tocsin::model {

enum class MetricType { kUnknown, kGauge, kCounter, kHistogram, kSummary, kInfo, kStateSet };

std::string_view MetricTypeName(MetricType type);  // "gauge"; kUnknown is "untyped".

class MetricBatch {
 public:
  using FamilyId = std::uint32_t;
  using LabelValues = std::span<const std::string_view>;

  struct Family {
    std::string name;
    std::string help;
    MetricType type = MetricType::kUnknown;
    std::vector<std::string> label_names;
    std::optional<std::size_t> part;  // Of parts(): the one that declared it.
  };

  // A part of the collection that can fail alone: a SQL subject, a SHOW, a command.
  struct Part {
    std::string name;
    std::string error;  // Empty: it answered.
  };

  // A histogram's numbers. `counts` are per bucket, not cumulative, one more than
  // `upper_bounds` (the last is +Inf).
  struct HistogramValue {
    std::span<const double> upper_bounds;
    std::span<const std::uint64_t> counts;
    double sum = 0;
  };

  MetricBatch();
  ~MetricBatch();
  MetricBatch(MetricBatch&&) noexcept = default;  // What is left behind is only destroyed.
  MetricBatch& operator=(MetricBatch&&) noexcept = default;

  // Declares a family, or finds the one of that name (help and type of the first
  // declaration stay; the label names must be the same).
  FamilyId DeclareFamily(std::string_view name, std::string_view help, MetricType type,
                         std::initializer_list<std::string_view> label_names = {});
  FamilyId DeclareFamily(std::string_view name, std::string_view help, MetricType type,
                         LabelValues label_names);

  // Adds a row. Requires: as many values as the family has label names. Values
  // that are not UTF-8 are mended, longer ones than kMaxLabelValueBytes cut.
  void Add(FamilyId family, double value);
  void Add(FamilyId family, std::initializer_list<std::string_view> label_values, double value);
  void Add(FamilyId family, LabelValues label_values, double value);
  void AddHistogram(FamilyId family, LabelValues label_values, const HistogramValue& histogram);

  // A one-row family in one call.
  void AddGauge(std::string_view name, std::string_view help, double value);
  void AddCounter(std::string_view name, std::string_view help, double value);

  // For scraped pages: a row of `family` under its own sample name ("x_bucket")
  // with any labels, and perhaps its own time.
  void AddSample(FamilyId family, std::string_view sample_name, std::span<const LabelView> labels,
                 double value, std::optional<std::int64_t> time_ms = std::nullopt);

  // Families declared from here to EndPart() are of the part `name`. Whoever reads
  // them must be able to tell "there is none" from "it did not answer".
  void BeginPart(std::string_view name);
  void EndPart() { part_.reset(); }
  // The part begun last did not answer, or not wholly.
  void FailPart(std::string error);
  const std::vector<Part>& parts() const { return parts_; }

  // All but the numbers and notes. Requires of whoever keeps it that nothing is added
  // to this batch any more before Clear().
  class Shape;
  std::shared_ptr<const Shape> shape() const { return shape_; }

  // Takes another batch's rows, without their numbers: AddNumber() for each of them, in
  // order, is then all that may be added. Requires: cleared before; none of the rows has a
  // time.
  void Repeat(std::shared_ptr<const Shape> shape);
  void AddNumber(double value) { LeanPush(values_, value); }

  // Adds another batch's rows with their numbers, without its notes and parts. Families of
  // the same name must have the same label names. What is required of whoever keeps the
  // other's shape() holds as long as this batch is not cleared.
  void Include(const MetricBatch& other);

  // Whether two rows have the same name and the same labels in the same order; and a hash
  // of these.
  static bool SameSeries(const Shape& a, std::size_t row_of_a, const Shape& b,
                         std::size_t row_of_b);
  static std::size_t HashSeries(const Shape& shape, std::size_t row);

  bool repeats() const { return own_ == nullptr; }
  double number(std::size_t row) const { return values_[row]; }

  // What this collection could not deliver, for people ("why and how to enable it").
  void AddNote(std::string note) { notes_.push_back(std::move(note)); }
  const std::vector<std::string>& notes() const { return notes_; }

  // Rows that came and were left out on purpose (relabelling): they count as collected.
  void NoteDropped(std::size_t rows) { dropped_ += rows; }
  std::size_t dropped() const { return dropped_; }

  // A row as it is read. Views are valid until the batch changes.
  struct Row {
    FamilyId family = 0;
    std::string_view name;  // Of the sample: the family's, or with _bucket, _sum, _count.
    double value = 0;
    std::optional<std::int64_t> time_ms;
    std::uint32_t label_count = 0;

    LabelView label(std::uint32_t index) const;  // Requires: index < label_count.

   private:
    friend class MetricBatch;
    const Shape* shape = nullptr;
    std::uint32_t first_label = 0;
  };
  std::size_t row_count() const { return values_.size(); }
  Row row(std::size_t index) const;
  const std::vector<Family>& families() const;

  void Clear();
  // Gives back the memory that is held for more rows: for a batch that is kept.
  void ShrinkToFit();
  std::size_t MemoryBytes() const;  // Without that of included batches.

  static constexpr std::size_t kMaxLabelValueBytes = 4096;

 private:
  using TextId = std::uint32_t;  // Of a text in the shape's arena.
  using NameId = std::uint32_t;  // Of a sample's name in the shape.

  void AddRow(FamilyId family, NameId name, LabelValues label_values,
              std::optional<std::pair<TextId, TextId>> extra_label, double value);

  std::shared_ptr<Shape> own_;          // Null while another batch's rows are repeated.
  std::shared_ptr<const Shape> shape_;  // Of the rows: `own_`, or the other's.
  std::vector<double> values_;          // One for each row.
  std::vector<std::int64_t> times_ms_;  // As far as the last row that has one.
  std::vector<std::string> notes_;
  std::size_t dropped_ = 0;
  std::vector<Part> parts_;
  std::optional<std::size_t> part_;  // The one that was begun.
};

}  // namespace tocsin::model
