#include <algorithm>
#include <map>
#include <unordered_set>

#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/model/exported_labels.h"

namespace tocsin::formats {
namespace {

using model::LabelView;
using model::MetricBatch;
using model::MetricType;

// 0.0.4 knows neither infos nor state sets: both are gauges there.
std::string_view TextTypeName(MetricType type) {
  switch (type) {
    case MetricType::kInfo:
    case MetricType::kStateSet: return "gauge";
    default: return model::MetricTypeName(type);
  }
}

void AppendName(std::string_view name, bool plain, std::string& out) {
  if (plain) {
    out.append(name);
    return;
  }
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) out += '_';
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == ':';
    out += fits ? c : '_';
  }
}

void AppendMetricName(std::string_view name, std::string& out) {
  AppendName(name, model::IsPlainMetricName(name), out);
}

void AppendHead(const MetricBatch::Family& family, std::string& out) {
  if (!family.help.empty()) {
    out += "# HELP ";
    AppendMetricName(family.name, out);
    out += ' ';
    AppendEscapedHelp(family.help, out);
    out += '\n';
  }
  out += "# TYPE ";
  AppendMetricName(family.name, out);
  out += ' ';
  out += TextTypeName(family.type);
  out += '\n';
}

class LabelWriter {
 public:
  explicit LabelWriter(std::string& out) : out_(out) {}
  void Add(std::string_view name, std::string_view value) {
    out_ += first_ ? '{' : ',';
    first_ = false;
    AppendName(name, model::IsPlainLabelName(name), out_);
    out_ += "=\"";
    AppendEscapedLabelValue(value, out_);
    out_ += '"';
  }
  void End() {
    if (!first_) out_ += '}';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void AppendValue(const MetricBatch::Row& row, const TextOptions& options, std::string& out) {
  out += ' ';
  AppendDouble(row.value, out);
  if (options.timestamps && row.time_ms) {
    out += ' ';
    out += std::to_string(*row.time_ms);
  }
  out += '\n';
}

// Rows of a batch in the order of their families, stable within one.
struct RowsByFamily {
  explicit RowsByFamily(const MetricBatch& batch)
      : begins(batch.families().size() + 1), rows(batch.row_count()) {
    for (std::size_t i = 0; i < batch.row_count(); ++i) ++begins[batch.row(i).family + 1];
    for (std::size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
    std::vector<std::uint32_t> next(begins.begin(), begins.end());
    for (std::size_t i = 0; i < batch.row_count(); ++i) {
      rows[next[batch.row(i).family]++] = static_cast<std::uint32_t>(i);
    }
  }

  std::vector<std::uint32_t> begins;  // Of each family, and the end of the last.
  std::vector<std::uint32_t> rows;
};

// Appends name and labels of a row, with its target's labels merged in.
void AppendSeries(const MetricBatch::Row& row, const model::Labels& target, bool honor_labels,
                  std::string& out) {
  AppendMetricName(row.name, out);
  LabelWriter labels(out);
  for (const LabelView label : target) {
    bool overridden = false;
    for (std::uint32_t i = 0; honor_labels && i < row.label_count; ++i) {
      const LabelView own = row.label(i);
      overridden = overridden || (own.first == label.first && !own.second.empty());
    }
    if (!overridden) labels.Add(label.first, label.second);
  }
  std::vector<std::pair<std::uint32_t, std::string>> exported;
  if (!honor_labels) exported = model::ExportedLabels(row, target);
  for (std::uint32_t i = 0; i < row.label_count; ++i) {
    const LabelView own = row.label(i);
    if (own.second.empty() && target.Has(own.first)) continue;
    const auto renamed = std::find_if(exported.begin(), exported.end(),
                                      [i](const auto& label) { return label.first == i; });
    labels.Add(renamed == exported.end() ? own.first : renamed->second, own.second);
  }
  labels.End();
}

}  // namespace

void AppendEscapedLabelValue(std::string_view value, std::string& out) {
  if (value.find_first_of("\\\"\n") == std::string_view::npos) {
    out.append(value);
    return;
  }
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

void AppendEscapedHelp(std::string_view help, std::string& out) {
  for (const char c : help) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\') out += '\\';
    out += c;
  }
}

void AppendText(const MetricBatch& batch, const TextOptions& options, std::string& out) {
  const RowsByFamily order(batch);
  const model::Labels none;
  for (std::size_t family = 0; family < batch.families().size(); ++family) {
    if (order.begins[family] == order.begins[family + 1]) continue;
    AppendHead(batch.families()[family], out);
    for (std::uint32_t i = order.begins[family]; i < order.begins[family + 1]; ++i) {
      const MetricBatch::Row row = batch.row(order.rows[i]);
      AppendSeries(row, none, /*honor_labels=*/true, out);
      AppendValue(row, options, out);
    }
  }
}

void TextPage::Add(std::shared_ptr<const MetricBatch> batch, model::Labels labels,
                   bool honor_labels) {
  sources_.push_back({std::move(batch), std::move(labels), honor_labels});
}

std::int64_t TextPage::AppendTo(const TextOptions& options, std::string& out) const {
  struct Part {
    std::size_t source;
    std::size_t family;
  };
  std::vector<RowsByFamily> orders;
  std::map<std::string_view, std::vector<Part>> families;
  for (std::size_t source = 0; source < sources_.size(); ++source) {
    const MetricBatch& batch = *sources_[source].batch;
    orders.emplace_back(batch);
    for (std::size_t family = 0; family < batch.families().size(); ++family) {
      if (orders.back().begins[family] == orders.back().begins[family + 1]) continue;
      families[batch.families()[family].name].push_back({source, family});
    }
  }
  std::int64_t duplicates = 0;
  // Series written so far in this family, by a hash of their text: two of the 2^64
  // would have to meet for one to be lost.
  std::unordered_set<std::size_t> written;
  for (const auto& [name, parts] : families) {
    written.clear();
    AppendHead(sources_[parts[0].source].batch->families()[parts[0].family], out);
    for (const Part& part : parts) {
      const Source& source = sources_[part.source];
      const RowsByFamily& order = orders[part.source];
      for (std::uint32_t i = order.begins[part.family]; i < order.begins[part.family + 1]; ++i) {
        const MetricBatch::Row row = source.batch->row(order.rows[i]);
        const std::size_t begin = out.size();
        AppendSeries(row, source.labels, source.honor_labels, out);
        const auto series = std::string_view(out).substr(begin);
        if (!written.insert(std::hash<std::string_view>()(series)).second) {
          out.resize(begin);
          ++duplicates;
          continue;
        }
        AppendValue(row, options, out);
      }
    }
  }
  return duplicates;
}

}  // namespace tocsin::formats
