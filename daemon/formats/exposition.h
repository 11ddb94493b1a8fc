#pragma once

// The pages of numbers that exporters serve: Prometheus' text format 0.0.4, which
// we write and read, and OpenMetrics 1.0, which we read
// (https://prometheus.io/docs/instrumenting/exposition_formats/,
// https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
//
// Everything here works on the caller's memory: no state, thread-safe as such.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::formats {

inline constexpr std::string_view kTextContentType = "text/plain; version=0.0.4; charset=utf-8";

// What a scraper sends as Accept: OpenMetrics first, as Prometheus asks for it.
inline constexpr std::string_view kScrapeAccept =
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

// --- Writing ---------------------------------------------------------------

struct TextOptions {
  // Rows with a time of their own carry it. The Pushgateway refuses pages with times.
  bool timestamps = true;
};

// Appends `batch` as a page in text format, grouped by family (HELP and TYPE once,
// families in the order they were declared, those without rows left out). Names
// that the format cannot spell have their odd bytes replaced by "_". A label with an
// empty value is written, as exporters do, though readers take it for absent.
void AppendText(const model::MetricBatch& batch, const TextOptions& options, std::string& out);

// One page of several targets' batches: families of the same name are merged, every
// row gets the labels of its target. A series that stands there already is left out
// (readers refuse a page that says it twice). Not thread-safe.
class TextPage {
 public:
  // Adds a target. `labels` go to each of its rows; where a row has a label of the
  // same name, it wins if `honor_labels`, else it is kept as exported_NAME.
  void Add(std::shared_ptr<const model::MetricBatch> batch, model::Labels labels,
           bool honor_labels);

  // Appends the page, families sorted by name. Returns how many rows were left out as
  // duplicates. Help and type are those of the target added first.
  std::int64_t AppendTo(const TextOptions& options, std::string& out) const;

 private:
  struct Source {
    std::shared_ptr<const model::MetricBatch> batch;
    model::Labels labels;
    bool honor_labels = false;
  };
  std::vector<Source> sources_;
};

// Appends a label value with \\, \" and \n escaped; a help text with \\ and \n.
void AppendEscapedLabelValue(std::string_view value, std::string& out);
void AppendEscapedHelp(std::string_view help, std::string& out);

// --- Reading ---------------------------------------------------------------

enum class ExpositionFormat { kText, kOpenMetrics };

// What a Content-Type header announces; anything unknown is read as text.
ExpositionFormat FormatOfContentType(std::string_view content_type);

struct ParseOptions {
  ExpositionFormat format = ExpositionFormat::kText;
  bool honor_timestamps = true;   // Else times on the page are dropped.
  std::int64_t sample_limit = 0;  // 0: none.
  // A value longer than MetricBatch::kMaxLabelValueBytes is an error, and not cut.
  bool refuses_long_values = false;
};

// More on one sample is an error: nobody means that, and each is compared with the others.
inline constexpr std::size_t kMaxLabelsPerSample = 256;

struct ParseSummary {
  std::int64_t samples = 0;
  std::int64_t exemplars_skipped = 0;
  // Values longer than MetricBatch::kMaxLabelValueBytes, which the batch has cut.
  std::int64_t label_values_cut = 0;
};

// Adds a page's samples to `batch` in one pass over its bytes. Times become
// milliseconds, a NaN the normal one. OpenMetrics' counters and infos are families
// by their sample's name (x_total, x_info), as text format knows them.
// Errors: kCorruption "line 12: …" for what the format does not allow,
// kResourceExhausted at a limit; `batch` then holds the samples before it.
Result<ParseSummary> ParseExposition(std::string_view page, const ParseOptions& options,
                                     model::MetricBatch& batch);

}  // namespace tocsin::formats
