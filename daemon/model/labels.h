#pragma once

// Labels identify a series or an alert: a set of names with values, sorted by
// name, each name once, no empty value (an empty label is an absent one).
//
// A Labels is one pointer to an immutable, reference-counted block: copies are
// cheap, equality compares a stored hash first, views stay valid as long as any
// copy lives. Thread-safe as an immutable value is. The twenty metrics of a table
// differ in their names only: such sets can share the block of the others (Named).

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::model {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kAlertName = "alertname";

using LabelView = std::pair<std::string_view, std::string_view>;  // Name and value.

class Labels {
 public:
  Labels() = default;                               // The empty set.
  Labels(std::initializer_list<LabelView> labels);  // In any order.
  // In any order; of a name that stands twice the later value wins.
  static Labels FromPairs(std::vector<LabelView> pairs);
  static Labels FromMap(const std::vector<std::pair<std::string, std::string>>& pairs);
  // Requires: sorted by name, no duplicate, no empty value. One allocation.
  static Labels FromSorted(const std::vector<LabelView>& sorted);
  // `rest` under a metric's name, in a small block that shares both. Requires: `name` is
  // kMetricName alone, and all of `rest` comes behind it in the order of names.
  static Labels Named(const Labels& name, const Labels& rest);

  Labels(const Labels& other) noexcept;
  Labels(Labels&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Labels& operator=(Labels other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Labels();

  std::size_t size() const;
  bool empty() const { return rep_ == nullptr; }
  LabelView operator[](std::size_t index) const;  // Requires: index < size().

  class Iterator {
   public:
    Iterator(const Labels& labels, std::size_t index) : labels_(&labels), index_(index) {}
    LabelView operator*() const { return (*labels_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Labels* labels_;
    std::size_t index_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

  // The value of `name`, empty if absent. O(size).
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  std::string_view Name() const { return Get(kMetricName); }

  // A copy with `name` set (an empty value removes it).
  Labels With(std::string_view name, std::string_view value) const;
  Labels Without(std::string_view name) const;
  // A copy with `other`'s labels set over these.
  Labels Overlay(const Labels& other) const;
  // A copy with only, or without, the given names.
  Labels Keep(const std::vector<std::string>& names) const;
  Labels Drop(const std::vector<std::string>& names) const;

  // A hint that they are read soon.
  void Fetch() const { __builtin_prefetch(rep_); }

  std::uint64_t Hash() const;       // Stable within the process only.
  std::size_t MemoryBytes() const;  // Without what Named() shares.

  // Alertmanager's identity of an alert: FNV-1a 64 over name 0xFF value 0xFF, sorted.
  std::uint64_t Fingerprint() const;

  // `name{a="b", c="d"}`, values escaped; `{}` if empty.
  std::string Text() const;

  friend bool operator==(const Labels& a, const Labels& b);
  friend bool operator<(const Labels& a, const Labels& b);  // By names and values in order.

 private:
  struct Rep;
  struct Flat;
  struct Composed;
  explicit Labels(Rep* rep) : rep_(rep) {}
  static void Release(Rep* rep) noexcept;
  template <class Keeps>
  Labels Filtered(Keeps keeps) const;
  Rep* rep_ = nullptr;  // Null: the empty set.
};

struct LabelsHash {
  std::size_t operator()(const Labels& labels) const { return labels.Hash(); }
};

// [a-zA-Z_][a-zA-Z0-9_]* and [a-zA-Z_:][a-zA-Z0-9_:]*: names that need no quotes.
bool IsPlainLabelName(std::string_view name);
bool IsPlainMetricName(std::string_view name);

// `"…"` with \\, \" and \n escaped.
std::string QuoteLabelValue(std::string_view value);

// 16 lower-case hex digits.
std::string FingerprintText(std::uint64_t fingerprint);

}  // namespace tocsin::model
