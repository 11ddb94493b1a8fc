#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/formats/exposition_value.h"
#include "daemon/model/sample.h"

namespace tocsin::formats {
namespace {

using model::LabelView;
using model::MetricBatch;
using model::MetricType;

// Times beyond this are no milliseconds that fit.
constexpr double kMaxTimeSeconds = 9e15;

bool IsNameStart(char c, bool metric) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (metric && c == ':');
}
bool IsNameByte(char c, bool metric) { return IsNameStart(c, metric) || (c >= '0' && c <= '9'); }

std::optional<MetricType> TypeNamed(std::string_view word, ExpositionFormat format) {
  if (word == "counter") return MetricType::kCounter;
  if (word == "gauge") return MetricType::kGauge;
  if (word == "histogram") return MetricType::kHistogram;
  if (word == "summary") return MetricType::kSummary;
  if (word == "untyped" || word == "unknown") return MetricType::kUnknown;
  if (format == ExpositionFormat::kOpenMetrics) {
    if (word == "info") return MetricType::kInfo;
    if (word == "stateset") return MetricType::kStateSet;
    if (word == "gaugehistogram") return MetricType::kUnknown;
  }
  return std::nullopt;
}

std::string QuoteForError(std::string_view text) {
  constexpr std::size_t kLimit = 40;
  return "\"" + ValidUtf8(text.substr(0, kLimit)) + (text.size() > kLimit ? "…" : "") + "\"";
}

// \\ and \n; any other backslash stands for itself.
void Unescape(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escapes = text[i] == '\\' && i + 1 < text.size();
    if (escapes && (text[i + 1] == 'n' || text[i + 1] == '\\')) {
      out += text[++i] == 'n' ? '\n' : '\\';
    } else {
      out += text[i];
    }
  }
}

class Parser {
 public:
  Parser(std::string_view page, const ParseOptions& options, MetricBatch& batch)
      : cursor_(page.data()),
        end_(page.data() + page.size()),
        options_(options),
        open_metrics_(options.format == ExpositionFormat::kOpenMetrics),
        batch_(batch) {}

  Result<ParseSummary> Parse() {
    while (cursor_ != end_ && !saw_eof_) {
      ++line_;
      const void* line_feed = std::memchr(cursor_, '\n', static_cast<std::size_t>(end_ - cursor_));
      line_end_ = line_feed != nullptr ? static_cast<const char*>(line_feed) : end_;
      const char* next = line_feed != nullptr ? line_end_ + 1 : end_;
      if (!Line()) return *error_;
      cursor_ = next;
    }
    if (open_metrics_ && !saw_eof_) {
      ++line_;
      Fail("the page does not end with # EOF (cut short?)");
      return *error_;
    }
    if (saw_eof_ && cursor_ != end_) {
      ++line_;
      Fail("something follows # EOF");
      return *error_;
    }
    return summary_;
  }

 private:
  bool Fail(std::string message, ErrorCode code = ErrorCode::kCorruption) {
    error_ = Error{code, "line " + std::to_string(line_) + ": " + std::move(message)};
    return false;
  }
  bool FailAtLimit(std::int64_t limit, std::string_view what) {
    return Fail("more than " + std::to_string(limit) + " " + std::string(what),
                ErrorCode::kResourceExhausted);
  }

  void SkipBlanks() {
    while (cursor_ != line_end_ && (*cursor_ == ' ' || *cursor_ == '\t')) ++cursor_;
  }
  bool AtEnd() const { return cursor_ == line_end_; }
  // Up to the next blank.
  std::string_view Word() {
    const char* begin = cursor_;
    while (cursor_ != line_end_ && *cursor_ != ' ' && *cursor_ != '\t') ++cursor_;
    return {begin, static_cast<std::size_t>(cursor_ - begin)};
  }
  std::string_view Rest() const { return {cursor_, static_cast<std::size_t>(line_end_ - cursor_)}; }

  bool Line();
  bool Comment();
  bool Metadata(bool is_help);
  bool Sample();
  bool Labels();
  bool Quoted(std::string_view& value);
  bool Value(double& value);
  bool Time(std::optional<std::int64_t>& time_ms);
  bool Exemplar();
  void ChooseFamily(std::string_view name);
  bool BelongsToCurrent(std::string_view name) const;

  const char* cursor_;
  const char* end_;
  const char* line_end_ = nullptr;
  const ParseOptions& options_;
  const bool open_metrics_;
  MetricBatch& batch_;
  std::int64_t line_ = 0;
  bool saw_eof_ = false;
  std::optional<Error> error_;
  ParseSummary summary_;

  // What the last # HELP and # TYPE said.
  std::string meta_name_;
  std::string meta_help_;
  MetricType meta_type_ = MetricType::kUnknown;
  std::optional<MetricBatch::FamilyId> meta_family_;

  // Where the last sample went: most lines repeat its name.
  std::string last_name_;
  MetricBatch::FamilyId family_ = 0;
  bool has_family_ = false;

  std::string_view name_;          // Of this line's sample.
  std::vector<LabelView> labels_;  // Of this line's sample.
  std::string unescaped_;          // Values of this line that had escapes.
};

bool Parser::Line() {
  unescaped_.clear();
  if (!open_metrics_) {
    if (line_end_ != cursor_ && line_end_[-1] == '\r') --line_end_;
    SkipBlanks();
  }
  if (AtEnd()) return !open_metrics_ || Fail("empty line");
  return *cursor_ == '#' ? Comment() : Sample();
}

bool Parser::Comment() {
  ++cursor_;
  if (open_metrics_ && Rest() == " EOF") {
    saw_eof_ = true;
    return true;
  }
  SkipBlanks();
  const std::string_view keyword = Word();
  if (keyword == "HELP") return Metadata(/*is_help=*/true);
  if (keyword == "TYPE") return Metadata(/*is_help=*/false);
  if (open_metrics_ && keyword != "UNIT") return Fail("comments must be HELP, TYPE, UNIT or EOF");
  return true;
}

bool Parser::Metadata(bool is_help) {
  SkipBlanks();
  std::string_view name;
  if (!AtEnd() && *cursor_ == '"') {
    if (!Quoted(name)) return false;
  } else {
    name = Word();
  }
  if (name.empty()) return Fail(is_help ? "HELP without a name" : "TYPE without a name");
  if (name != meta_name_) {
    meta_name_.assign(name);
    meta_help_.clear();
    meta_type_ = MetricType::kUnknown;
    meta_family_.reset();
  }
  has_family_ = false;
  if (!AtEnd()) ++cursor_;  // The one blank.
  if (!is_help) {
    SkipBlanks();
    const std::string_view word = TrimSpace(Rest());
    const auto type = TypeNamed(word, options_.format);
    if (!type) return Fail("unknown metric type " + QuoteForError(word));
    meta_type_ = *type;
    return true;
  }
  Unescape(Rest(), meta_help_);
  return true;
}

// The family of a sample, made at its first one, when HELP and TYPE are both known.
void Parser::ChooseFamily(std::string_view name) {
  if (has_family_ && name == last_name_) return;
  last_name_.assign(name);
  has_family_ = true;
  const bool renamed =
      open_metrics_ && (meta_type_ == MetricType::kCounter || meta_type_ == MetricType::kInfo);
  if (!BelongsToCurrent(name)) {
    family_ = batch_.DeclareFamily(name, {}, MetricType::kUnknown);
  } else if (renamed) {
    family_ = batch_.DeclareFamily(name, meta_help_, meta_type_);
  } else {
    if (!meta_family_) meta_family_ = batch_.DeclareFamily(meta_name_, meta_help_, meta_type_);
    family_ = *meta_family_;
  }
}

bool Parser::BelongsToCurrent(std::string_view name) const {
  if (meta_name_.empty() || !name.starts_with(meta_name_)) return false;
  const std::string_view suffix = name.substr(meta_name_.size());
  switch (meta_type_) {
    case MetricType::kHistogram:
      return suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
    case MetricType::kSummary: return suffix.empty() || suffix == "_sum" || suffix == "_count";
    case MetricType::kCounter: return open_metrics_ ? suffix == "_total" : suffix.empty();
    case MetricType::kInfo: return suffix == "_info";
    default: return suffix.empty();
  }
}

bool Parser::Sample() {
  labels_.clear();
  name_ = {};
  const char* begin = cursor_;
  if (IsNameStart(*cursor_, true)) {
    while (cursor_ != line_end_ && IsNameByte(*cursor_, true)) ++cursor_;
    name_ = {begin, static_cast<std::size_t>(cursor_ - begin)};
  } else if (*cursor_ != '{') {
    return Fail("expected a metric name, not " + QuoteForError(Rest()));
  }
  SkipBlanks();
  if (!AtEnd() && *cursor_ == '{' && !Labels()) return false;
  if (name_.empty()) return Fail("a sample without a name");
  double value = 0;
  std::optional<std::int64_t> time_ms;
  if (!Value(value) || !Time(time_ms)) return false;
  SkipBlanks();
  if (open_metrics_ && !AtEnd() && *cursor_ == '#' && !Exemplar()) return false;
  if (!AtEnd()) return Fail("unexpected " + QuoteForError(Rest()) + " after the sample");
  ++summary_.samples;
  if (options_.sample_limit > 0 && summary_.samples > options_.sample_limit) {
    return FailAtLimit(options_.sample_limit, "samples");
  }
  ChooseFamily(name_);
  if (!options_.honor_timestamps) time_ms.reset();
  batch_.AddSample(family_, name_, labels_, value, time_ms);
  return true;
}

bool Parser::Labels() {
  ++cursor_;  // The brace.
  while (true) {
    SkipBlanks();
    if (AtEnd()) return Fail("the labels are not closed by }");
    if (*cursor_ == '}') break;
    std::string_view name;
    const bool quoted = *cursor_ == '"';
    if (quoted) {
      if (!Quoted(name)) return false;
    } else {
      const char* begin = cursor_;
      if (!IsNameStart(*cursor_, false)) {
        return Fail("expected a label name, not " + QuoteForError(Rest()));
      }
      while (!AtEnd() && IsNameByte(*cursor_, false)) ++cursor_;
      name = {begin, static_cast<std::size_t>(cursor_ - begin)};
    }
    SkipBlanks();
    if (quoted && name_.empty() && (AtEnd() || *cursor_ != '=')) {
      name_ = name;  // {"metric name", …}
    } else {
      if (AtEnd() || *cursor_ != '=') return Fail("expected = after label " + QuoteForError(name));
      ++cursor_;
      SkipBlanks();
      if (AtEnd() || *cursor_ != '"') {
        return Fail("expected a quoted value of label " + QuoteForError(name));
      }
      std::string_view value;
      if (!Quoted(value)) return false;
      if (name.empty() || name == model::kMetricName) {
        return Fail("label name " + QuoteForError(name) + " is not allowed");
      }
      for (const LabelView& known : labels_) {
        if (known.first == name) return Fail("label " + QuoteForError(name) + " stands twice");
      }
      labels_.emplace_back(name, value);
      if (labels_.size() > kMaxLabelsPerSample) return FailAtLimit(kMaxLabelsPerSample, "labels");
      if (value.size() > MetricBatch::kMaxLabelValueBytes) {
        ++summary_.label_values_cut;
        if (options_.refuses_long_values) {
          return FailAtLimit(MetricBatch::kMaxLabelValueBytes, "bytes in a label value");
        }
      }
    }
    SkipBlanks();
    if (!AtEnd() && *cursor_ == ',') {
      ++cursor_;
    } else if (AtEnd() || *cursor_ != '}') {
      return Fail("expected , or } after label " + QuoteForError(name));
    }
  }
  ++cursor_;
  return true;
}

// Views the text itself, or `unescaped_` if something was escaped.
bool Parser::Quoted(std::string_view& value) {
  ++cursor_;  // The quote.
  const char* begin = cursor_;
  while (!AtEnd() && *cursor_ != '"' && *cursor_ != '\\') ++cursor_;
  if (AtEnd()) return Fail("a quoted text is not closed");
  if (*cursor_ == '"') {
    value = {begin, static_cast<std::size_t>(cursor_ - begin)};
    ++cursor_;
    return true;
  }
  // Reserved once for the whole line, so that views into it stay.
  if (unescaped_.empty()) unescaped_.reserve(static_cast<std::size_t>(line_end_ - begin));
  const std::size_t offset = unescaped_.size();
  unescaped_.append(begin, cursor_);
  while (!AtEnd() && *cursor_ != '"') {
    char c = *cursor_++;
    if (c == '\\' && !AtEnd()) {
      c = *cursor_++;
      if (c == 'n') {
        c = '\n';
      } else if (c != '\\' && c != '"') {
        unescaped_ += '\\';
      }
    }
    unescaped_ += c;
  }
  if (AtEnd()) return Fail("a quoted text is not closed");
  ++cursor_;
  value = std::string_view(unescaped_).substr(offset);
  return true;
}

bool Parser::Value(double& value) {
  SkipBlanks();
  const char* begin = cursor_;
  if (const auto read = ReadSampleValue(cursor_, line_end_)) {
    value = *read;
    return true;
  }
  const std::string_view word = Word();
  if (word.empty()) return Fail("the sample has no value");
  cursor_ = begin;
  return Fail("value " + QuoteForError(word) + " is not a number");
}

bool Parser::Time(std::optional<std::int64_t>& time_ms) {
  SkipBlanks();
  if (AtEnd() || *cursor_ == '#') return true;
  const std::string_view word = Word();
  if (!open_metrics_) {
    time_ms = ParseInt(word);
    return time_ms ||
           Fail("time " + QuoteForError(word) + " is not a whole number of milliseconds");
  }
  const auto seconds = ParseDouble(word);
  if (!seconds || !(std::abs(*seconds) < kMaxTimeSeconds)) {
    return Fail("time " + QuoteForError(word) + " is not a number of seconds");
  }
  time_ms = static_cast<std::int64_t>(std::llround(*seconds * 1000));
  return true;
}

bool Parser::Exemplar() {
  ++cursor_;
  SkipBlanks();
  if (AtEnd() || *cursor_ != '{') return Fail("an exemplar must begin with its labels");
  const std::string_view name = name_;
  std::vector<LabelView> labels;
  labels.swap(labels_);
  double value = 0;
  std::optional<std::int64_t> time_ms;
  const bool good = Labels() && Value(value) && Time(time_ms);
  labels.swap(labels_);
  name_ = name;
  ++summary_.exemplars_skipped;
  return good;
}

}  // namespace

ExpositionFormat FormatOfContentType(std::string_view content_type) {
  const std::string_view type = TrimSpace(content_type.substr(0, content_type.find(';')));
  return type == "application/openmetrics-text" ? ExpositionFormat::kOpenMetrics
                                                : ExpositionFormat::kText;
}

Result<ParseSummary> ParseExposition(std::string_view page, const ParseOptions& options,
                                     MetricBatch& batch) {
  return Parser(page, options, batch).Parse();
}

}  // namespace tocsin::formats
