#include "rules/promql/series_notation.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/model/sample.h"
#include "rules/promql/lexer.h"
#include "rules/promql/parser.h"

namespace tocsin::promql {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

Error At(std::string_view text, std::size_t offset, std::string_view message) {
  const auto [line, column] = LineAndColumn(text, static_cast<int>(offset));
  return {ErrorCode::kInvalidArgument,
          fmt::format("{}:{}: parse error: {}", line, column, message)};
}

// Reads `1+2x3`: a value, a step and a count.
class Item {
 public:
  Item(std::string_view whole, std::size_t begin, std::size_t end)
      : whole_(whole), text_(whole.substr(begin, end - begin)), begin_(begin) {}

  Result<> Read(std::vector<SequenceValue>& out) {
    if (text_.starts_with("{{")) {
      return Fail("native histograms are not supported: series hold floats only");
    }
    if (text_[0] == '_') {
      at_ = 1;
      const std::optional<std::int64_t> times = Times();
      if (failed_ || at_ != text_.size()) return Unexpected();
      return Append(out, {0, true}, 0, times.value_or(1));
    }
    double value = 0;
    if (text_ == "stale") {
      at_ = 5;
      value = model::StaleMarker();
    } else if (const std::optional<double> number = Number(false)) {
      value = *number;
    } else {
      return Unexpected();
    }
    double step = 0;
    const bool steps = at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-');
    if (steps) {
      const std::optional<double> number = Number(true);
      if (!number) return Unexpected();
      step = *number;
    }
    const std::optional<std::int64_t> times = Times();
    if (failed_ || at_ != text_.size() || (steps && !times)) return Unexpected();
    return Append(out, {value, false}, step, times ? *times + 1 : 1);
  }

 private:
  Error Fail(std::string_view message) const { return At(whole_, begin_, message); }
  Error Unexpected() const {
    return At(whole_, begin_ + at_,
              fmt::format("unexpected {} in series values, expected number or \"stale\"",
                          GoQuote(text_.substr(at_))));
  }

  // A float with perhaps a sign; `signed_only`: with one for sure.
  std::optional<double> Number(bool signed_only) {
    std::size_t end = at_;
    if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) {
      ++end;
    } else if (signed_only) {
      return std::nullopt;
    }
    const std::size_t digits = end;
    const auto is_word = [&](std::string_view word) {
      if (text_.size() - digits < word.size()) return false;
      for (std::size_t i = 0; i < word.size(); ++i) {
        if ((text_[digits + i] | 0x20) != word[i]) return false;
      }
      return true;
    };
    if (is_word("inf") || is_word("nan")) {
      end += 3;
      // `NaNx3` is one word, and none that is known.
      if (end < text_.size() && std::isalnum(static_cast<unsigned char>(text_[end]))) {
        return std::nullopt;
      }
    } else {
      while (end < text_.size()) {
        const char c = text_[end];
        const bool exponent_sign = (c == '+' || c == '-') && end > digits &&
                                   (text_[end - 1] == 'e' || text_[end - 1] == 'E');
        if ((c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && !exponent_sign) break;
        ++end;
      }
    }
    const bool minus = text_[at_] == '-';
    const std::optional<double> value = ParseDouble(text_.substr(digits, end - digits));
    if (!value) return std::nullopt;
    at_ = end;
    return minus ? -*value : *value;
  }

  // `x3`, if it stands there.
  std::optional<std::int64_t> Times() {
    if (at_ >= text_.size() || text_[at_] != 'x') return std::nullopt;
    ++at_;
    std::int64_t count = 0;
    const char* end = text_.data() + text_.size();
    const auto [stop, problem] = std::from_chars(text_.data() + at_, end, count);
    if (problem != std::errc() || text_[at_] == '-') {
      failed_ = true;
      return std::nullopt;
    }
    at_ = static_cast<std::size_t>(stop - text_.data());
    return count;
  }

  Result<> Append(std::vector<SequenceValue>& out, SequenceValue value, double step,
                  std::int64_t count) const {
    if (count > kMaxSequenceSamples - static_cast<std::int64_t>(out.size())) {
      return Fail(fmt::format("a sequence may have at most {} samples", kMaxSequenceSamples));
    }
    for (std::int64_t i = 0; i < count; ++i) {
      out.push_back(value);
      if (step != 0) value.value += step;
    }
    return {};
  }

  std::string_view whole_;
  std::string_view text_;
  std::size_t begin_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

Result<std::vector<SequenceValue>> ReadSequence(std::string_view whole, std::size_t from) {
  std::vector<SequenceValue> values;
  std::size_t at = from;
  while (true) {
    while (at < whole.size() && IsSpace(whole[at])) ++at;
    if (at == whole.size()) return values;
    std::size_t end = at;
    while (end < whole.size() && !IsSpace(whole[end])) ++end;
    TOCSIN_RETURN_IF_ERROR(Item(whole, at, end).Read(values));
    at = end;
  }
}

// Where the metric ends: behind its closing brace, or at the first space.
std::size_t MetricEnd(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && IsSpace(text[at])) ++at;
  while (at < text.size() && !IsSpace(text[at]) && text[at] != '{') ++at;
  std::size_t brace = at;
  while (brace < text.size() && IsSpace(text[brace])) ++brace;
  const bool histogram = text.substr(brace).starts_with("{{");
  if (brace == text.size() || text[brace] != '{' || histogram) return at;
  char quote = 0;
  for (at = brace; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\' && quote != '`') {
        ++at;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '}') {
      return at + 1;
    }
  }
  return text.size();
}

}  // namespace

Result<std::vector<SequenceValue>> ParseSequence(std::string_view text) {
  return ReadSequence(text, 0);
}

Result<SeriesDescription> ParseSeriesDescription(std::string_view text) {
  SeriesDescription description;
  const std::size_t end = MetricEnd(text);
  TOCSIN_ASSIGN_OR_RETURN(description.labels, ParseMetric(text.substr(0, end)));
  TOCSIN_ASSIGN_OR_RETURN(description.values, ReadSequence(text, end));
  return description;
}

}  // namespace tocsin::promql
