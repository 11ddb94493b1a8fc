#pragma once

// One commit as a row of the journal, and series labels as a blob.
//
//   checksum (4 bytes) of the rest
//   per sample: zigzag varint of the series id's difference to the sample before,
//   the same of the time, and the value: even varints are zigzag integers × 2,
//   1 is followed by 8 bytes, 3 is the staleness marker

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/labels.h"

namespace tocsin::store {

struct JournalSample {
  std::uint64_t history_id = 0;
  std::int64_t time_ms = 0;
  double value = 0;
};

struct NewSeries {
  std::uint64_t history_id = 0;
  model::Labels labels;
};

// What one commit has to write.
struct JournalRow {
  std::uint64_t sequence = 0;
  std::string payload;                // Empty: no sample was taken.
  std::vector<NewSeries> new_series;  // Series that history.db does not know yet.
};

// Builds the payload of a row sample by sample.
class JournalEncoder {
 public:
  explicit JournalEncoder(std::size_t samples_expected);

  void Add(std::uint64_t history_id, std::int64_t time_ms, double value);
  // The payload with its checksum; empty if nothing was added.
  std::string Take();

 private:
  void Flush();

  std::string bytes_;
  std::array<char, 4096> newest_;  // Go to bytes_ together.
  std::size_t newest_size_ = 0;
  std::uint64_t history_id_ = 0;
  std::int64_t time_ms_ = 0;
};

// Null if the bytes are damaged.
std::optional<std::vector<JournalSample>> DecodeJournalRow(std::string_view payload);

std::string EncodeLabels(const model::Labels& labels);
std::optional<model::Labels> DecodeLabels(std::string_view bytes);

}  // namespace tocsin::store
