#include "daemon/formats/repeated_page.h"

#include <bit>
#include <cstring>

#include "daemon/formats/exposition_value.h"

namespace tocsin::formats {
namespace {

constexpr std::size_t kMaxLineBytes = (std::size_t{1} << 31) - 1;

std::string_view LineAt(std::string_view page, std::size_t at) {
  return page.substr(at, page.find('\n', at) - at);
}

}  // namespace

Result<ParseSummary> RepeatedPage::Parse(std::string_view page, const ParseOptions& options,
                                         model::MetricBatch& batch) {
  if (shape_ != nullptr && format_ == options.format) {
    batch.Repeat(shape_);
    if (ReadAgain(page, batch)) return summary_;
    batch.Clear();
  }
  Forget();
  TOCSIN_ASSIGN_OR_RETURN(summary_, ParseExposition(page, options, batch));
  format_ = options.format;
  // What follows a value is not remembered: a time, an exemplar.
  if (options.honor_timestamps && summary_.exemplars_skipped == 0) Remember(page, batch);
  return summary_;
}

bool RepeatedPage::ReadAgain(std::string_view page, model::MetricBatch& batch) const {
  const char* at = page.data();
  const char* const end = at + page.size();
  const char* text = text_.data();
  for (const Line line : lines_) {
    if (static_cast<std::size_t>(end - at) < line.size || std::memcmp(at, text, line.size) != 0) {
      return false;
    }
    at += line.size;
    text += line.size;
    if (line.has_value != 0) {
      const void* line_feed = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
      const char* line_end = line_feed != nullptr ? static_cast<const char*>(line_feed) : end;
      const auto value = ReadSampleValue(at, line_end);
      if (!value || at != line_end) return false;
      batch.AddNumber(*value);
    }
    if (at == end) continue;
    if (*at++ != '\n') return false;
  }
  return at == end;
}

void RepeatedPage::Remember(std::string_view page, const model::MetricBatch& batch) {
  std::size_t row = 0;
  for (std::size_t at = 0; at < page.size();) {
    const std::string_view line = LineAt(page, at);
    if (!RememberLine(line, batch, row)) return Forget();
    at += line.size() + 1;
  }
  if (row != batch.row_count()) return Forget();
  shape_ = batch.shape();
}

// False unless it is certain where the line's value stands.
bool RepeatedPage::RememberLine(std::string_view line, const model::MetricBatch& batch,
                                std::size_t& row) {
  if (line.size() > kMaxLineBytes) return false;
  const bool has_value = !line.empty() && line.find_first_not_of(" \t\r") != line.npos &&
                         line[line.find_first_not_of(" \t")] != '#';
  std::size_t size = line.size();
  if (has_value) {
    size = line.find_last_of(" \t}") + 1;  // 0 if there is none.
    const char* value_begin = line.data() + size;
    const auto value = ReadSampleValue(value_begin, line.data() + line.size());
    if (row == batch.row_count() || !value) return false;
    const model::MetricBatch::Row of_batch = batch.row(row++);
    if (of_batch.time_ms ||
        std::bit_cast<std::uint64_t>(*value) != std::bit_cast<std::uint64_t>(of_batch.value)) {
      return false;
    }
  }
  text_.append(line.substr(0, size));
  lines_.push_back({static_cast<std::uint32_t>(size), has_value ? 1U : 0U});
  return true;
}

void RepeatedPage::Forget() {
  text_.clear();
  lines_.clear();
  shape_.reset();
}

}  // namespace tocsin::formats
