#include "daemon/formats/remote_write.h"

#include <snappy.h>

#include <algorithm>
#include <utility>

#include "daemon/formats/remote_write.pb.h"

namespace tocsin::formats {
namespace {

Result<model::Labels> TakeLabels(const proto::TimeSeries& series) {
  std::vector<model::LabelView> labels;
  labels.reserve(static_cast<std::size_t>(series.labels_size()));
  for (const auto& label : series.labels()) {
    if (label.name().empty()) {
      return Error{ErrorCode::kInvalidArgument, "a series has a label without a name"};
    }
    if (!label.value().empty()) labels.emplace_back(label.name(), label.value());
  }
  std::sort(labels.begin(), labels.end());
  const auto repeated =
      std::adjacent_find(labels.begin(), labels.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  if (repeated != labels.end()) {
    return Error{ErrorCode::kInvalidArgument,
                 "label " + model::QuoteLabelValue(repeated->first) + " stands twice in a series"};
  }
  auto taken = model::Labels::FromSorted(labels);
  if (taken.Name().empty()) {
    return Error{ErrorCode::kInvalidArgument, "series " + taken.Text() + " has no __name__"};
  }
  return taken;
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

Result<std::vector<RemoteWriteSeries>> DecodeRemoteWrite(std::string_view body,
                                                         std::int64_t limit_bytes,
                                                         std::int64_t* histograms_skipped) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return Error{ErrorCode::kCorruption, "the body is not snappy-compressed"};
  }
  if (static_cast<std::int64_t>(size) > limit_bytes) {
    return Error{ErrorCode::kResourceExhausted, "the body unpacks to " + std::to_string(size) +
                                                    " bytes, more than " +
                                                    std::to_string(limit_bytes)};
  }
  std::string plain;
  if (!snappy::Uncompress(body.data(), body.size(), &plain)) {
    return Error{ErrorCode::kCorruption, "the body is not snappy-compressed"};
  }
  proto::WriteRequest request;
  if (!request.ParseFromString(plain)) {
    return Error{ErrorCode::kCorruption, "the body is not a remote-write request"};
  }
  std::vector<RemoteWriteSeries> all;
  all.reserve(static_cast<std::size_t>(request.timeseries_size()));
  for (const auto& series : request.timeseries()) {
    if (series.histograms_size() > 0 && histograms_skipped != nullptr) ++*histograms_skipped;
    if (series.samples_size() == 0) continue;
    TOCSIN_ASSIGN_OR_RETURN(model::Labels labels, TakeLabels(series));
    RemoteWriteSeries decoded{std::move(labels), {}};
    decoded.samples.reserve(static_cast<std::size_t>(series.samples_size()));
    for (const auto& sample : series.samples()) {
      decoded.samples.push_back({sample.timestamp(), sample.value()});
    }
    all.push_back(std::move(decoded));
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> RemoteWriteHeaders() {
  return {{"Content-Type", "application/x-protobuf"},
          {"Content-Encoding", "snappy"},
          {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
}

}  // namespace tocsin::formats
