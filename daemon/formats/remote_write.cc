#include "daemon/formats/remote_write.h"

#include <snappy.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/formats/protobuf_reader.h"
#include "daemon/formats/remote_write.pb.h"

namespace tocsin::formats {
namespace {

constexpr std::size_t kMaxLabels = 512;       // Of one series; with more it is invalid.
constexpr std::size_t kMaxMetadata = 50'000;  // Of one request; the rest is not read.
constexpr std::size_t kMaxToldRunes = 1000;   // Of labels that are told as wrong.

// Field numbers of the messages in remote_write.proto.
enum RequestField { kRequestSeries = 1, kRequestMetadata = 3 };
enum SeriesField { kSeriesLabel = 1, kSeriesSample = 2, kSeriesHistogram = 4 };
enum LabelField { kLabelName = 1, kLabelValue = 2 };
enum SampleField { kSampleValue = 1, kSampleTime = 2 };
enum MetadataField { kMetadataType = 1, kMetadataFamily = 2, kMetadataHelp = 4, kMetadataUnit = 5 };

bool IsUtf8(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  return ascii || ValidUtf8(text) == text;
}

bool ReadLabel(std::string_view message, std::vector<model::LabelView>& labels) {
  ProtobufReader reader(message);
  model::LabelView label;
  while (reader.Next()) {
    if (reader.field() == kLabelName) label.first = reader.Bytes();
    if (reader.field() == kLabelValue) label.second = reader.Bytes();
  }
  // An empty value is an absent label.
  if (!label.second.empty() || label.first.empty()) labels.push_back(label);
  return !reader.failed();
}

bool ReadSample(std::string_view message, std::vector<model::Sample>& samples) {
  ProtobufReader reader(message);
  model::Sample sample;
  while (reader.Next()) {
    if (reader.field() == kSampleValue) sample.value = reader.Double();
    if (reader.field() == kSampleTime) sample.time_ms = reader.Int64();
  }
  samples.push_back(sample);
  return !reader.failed();
}

// Of labels that a series must not have: as people read them.
std::string LabelsText(const std::vector<model::LabelView>& labels) {
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ", ";
    text += ValidUtf8(name) + "=" + model::QuoteLabelValue(ValidUtf8(value));
  }
  return text + "}";
}

// What is wrong with sorted labels, in upstream's words; nothing if they are a series'.
std::optional<std::string> FaultOf(const std::vector<model::LabelView>& labels) {
  if (labels.size() > kMaxLabels) {
    return "invalid labels for series: more than " + std::to_string(kMaxLabels) + " labels";
  }
  const auto repeated =
      std::adjacent_find(labels.begin(), labels.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  const bool named = std::any_of(labels.begin(), labels.end(), [](const auto& label) {
    return label.first == model::kMetricName;
  });
  const bool spelled = std::all_of(labels.begin(), labels.end(), [](const auto& label) {
    return !label.first.empty() && IsUtf8(label.first) && IsUtf8(label.second);
  });
  if (!named || !spelled) return "invalid metric name or labels, got " + LabelsText(labels);
  if (repeated != labels.end()) {
    return "invalid labels for series, labels " + LabelsText(labels) + ", duplicated label " +
           std::string(repeated->first);
  }
  return std::nullopt;
}

void LeaveOut(const std::string& text, RemoteWriteRequest::LeftOut& left_out) {
  if (left_out.series++ == 0) left_out.first = TruncateRunes(text, kMaxToldRunes);
}

// `labels` is scratch, kept from series to series.
bool ReadSeries(std::string_view message, std::vector<model::LabelView>& labels,
                RemoteWriteRequest& request) {
  ProtobufReader reader(message);
  labels.clear();
  std::vector<model::Sample> samples;
  bool has_histograms = false;
  while (reader.Next()) {
    bool read = true;
    switch (reader.field()) {
      case kSeriesLabel:
        // One more than a series may have is enough to refuse it.
        if (labels.size() <= kMaxLabels) read = ReadLabel(reader.Bytes(), labels);
        break;
      case kSeriesSample: read = ReadSample(reader.Bytes(), samples); break;
      case kSeriesHistogram: has_histograms = true; break;
      default: break;
    }
    if (!read) return false;
  }
  if (reader.failed()) return false;
  if (samples.empty() && !has_histograms) return true;
  if (!std::is_sorted(labels.begin(), labels.end())) std::sort(labels.begin(), labels.end());
  if (auto fault = FaultOf(labels)) {
    LeaveOut(*fault, request.invalid);
    return true;
  }
  auto taken = model::Labels::FromSorted(labels);
  if (has_histograms) LeaveOut(taken.Text(), request.native_histograms);
  if (!samples.empty()) request.series.push_back({std::move(taken), std::move(samples)});
  return true;
}

model::MetricType TypeOf(std::int64_t number) {
  switch (number) {
    case 1: return model::MetricType::kCounter;
    case 2: return model::MetricType::kGauge;
    case 3:
    case 4: return model::MetricType::kHistogram;  // 4: a histogram of gauges.
    case 5: return model::MetricType::kSummary;
    case 6: return model::MetricType::kInfo;
    case 7: return model::MetricType::kStateSet;
    default: return model::MetricType::kUnknown;
  }
}

bool ReadMetadata(std::string_view message, RemoteWriteRequest& request) {
  ProtobufReader reader(message);
  RemoteWriteMetadata metadata;
  while (reader.Next()) {
    switch (reader.field()) {
      case kMetadataType: metadata.type = TypeOf(reader.Int64()); break;
      case kMetadataFamily: metadata.family = ValidUtf8(reader.Bytes()); break;
      case kMetadataHelp: metadata.help = ValidUtf8(reader.Bytes()); break;
      case kMetadataUnit: metadata.unit = ValidUtf8(reader.Bytes()); break;
      default: break;
    }
  }
  if (!metadata.family.empty() && request.metadata.size() < kMaxMetadata) {
    request.metadata.push_back(std::move(metadata));
  }
  return !reader.failed();
}

}  // namespace

std::string EncodeRemoteWrite(std::span<const RemoteWriteSeries> all) {
  proto::WriteRequest request;
  for (const RemoteWriteSeries& series : all) {
    proto::TimeSeries& encoded = *request.add_timeseries();
    for (const auto [name, value] : series.labels) {
      proto::Label& label = *encoded.add_labels();
      label.set_name(name.data(), name.size());
      label.set_value(value.data(), value.size());
    }
    for (const model::Sample& sample : series.samples) {
      proto::Sample& point = *encoded.add_samples();
      point.set_value(sample.value);
      point.set_timestamp(sample.time_ms);
    }
  }
  const std::string plain = request.SerializeAsString();
  std::string body;
  snappy::Compress(plain.data(), plain.size(), &body);
  return body;
}

Result<std::string> UnpackSnappy(std::string_view body, std::int64_t limit_bytes) {
  const Error corrupt{ErrorCode::kCorruption, "snappy: corrupt input"};
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) return corrupt;
  if (static_cast<std::int64_t>(size) > limit_bytes) {
    return Error{ErrorCode::kResourceExhausted,
                 "snappy: decoded block is too large: " + std::to_string(size) +
                     " bytes, the limit is " + std::to_string(limit_bytes)};
  }
  std::string plain;
  if (!snappy::Uncompress(body.data(), body.size(), &plain)) return corrupt;
  return plain;
}

Result<RemoteWriteRequest> ReadWriteRequest(std::string_view message) {
  RemoteWriteRequest request;
  std::vector<model::LabelView> labels;
  ProtobufReader reader(message);
  bool whole = true;
  while (whole && reader.Next()) {
    if (reader.field() == kRequestSeries) whole = ReadSeries(reader.Bytes(), labels, request);
    if (reader.field() == kRequestMetadata) whole = ReadMetadata(reader.Bytes(), request);
  }
  if (!whole || reader.failed()) {
    return Error{ErrorCode::kCorruption, "proto: the body is not a WriteRequest"};
  }
  return request;
}

Result<RemoteWriteRequest> DecodeRemoteWrite(std::string_view body, std::int64_t limit_bytes) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string plain, UnpackSnappy(body, limit_bytes));
  return ReadWriteRequest(plain);
}

std::vector<std::pair<std::string, std::string>> RemoteWriteHeaders() {
  return {{"Content-Type", "application/x-protobuf"},
          {"Content-Encoding", "snappy"},
          {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
}

}  // namespace tocsin::formats
