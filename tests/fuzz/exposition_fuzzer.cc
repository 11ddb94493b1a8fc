// A scraped page, in either format, is samples or an error; the page we write of those
// samples can be read again.

#include "daemon/formats/exposition.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tocsin::formats;  // NOLINT
  if (size == 0) return 0;
  const std::string_view page(reinterpret_cast<const char*>(data) + 1, size - 1);
  ParseOptions options;
  options.format = data[0] % 2 == 0 ? ExpositionFormat::kText : ExpositionFormat::kOpenMetrics;
  options.refuses_long_values = data[0] % 4 >= 2;
  if (options.refuses_long_values) options.sample_limit = 20;
  tocsin::model::MetricBatch batch;
  const auto read = ParseExposition(page, options, batch);
  TOCSIN_CHECK(!read.ok() || read->samples == static_cast<std::int64_t>(batch.row_count()));

  std::string written;
  AppendText(batch, {}, written);
  tocsin::model::MetricBatch again;
  const auto reread = ParseExposition(written, {}, again);
  TOCSIN_CHECK(reread.ok());
  TOCSIN_CHECK(again.row_count() == batch.row_count());
  return 0;
}
