#pragma once

// Messages of Prometheus' remote write 1.0: a snappy-compressed protobuf
// WriteRequest (https://prometheus.io/docs/specs/prw/remote_write_spec/). Encoded
// for the destinations of push, decoded for the receiver of the API. Values keep
// their bits: staleness markers arrive as they were sent. Stateless; thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"
#include "daemon/model/sample.h"

namespace tocsin::formats {

struct RemoteWriteSeries {
  model::Labels labels;  // With __name__.
  std::vector<model::Sample> samples;
};

// The body of one request: encoded and compressed.
std::string EncodeRemoteWrite(std::span<const RemoteWriteSeries> series);

// What a sender tells of a metric family, beside its samples.
struct RemoteWriteMetadata {
  std::string family;
  model::MetricType type = model::MetricType::kUnknown;
  std::string help;
  std::string unit;
};

struct RemoteWriteRequest {
  // In the order they came; those without samples are left out.
  std::vector<RemoteWriteSeries> series;
  std::vector<RemoteWriteMetadata> metadata;

  // What a sender must not send is left out, counted, and the first told.
  struct LeftOut {
    std::int64_t series = 0;
    std::string first;
  };
  // No __name__, nameless or repeated labels, more than 512, text that is not UTF-8.
  LeftOut invalid;
  LeftOut native_histograms;  // Series that carry some; their float samples are taken.
};

// Reads a body. Exemplars are skipped. Memory stays within a small multiple of
// `limit_bytes`, whatever the body says.
// Errors: kCorruption for what is not snappy or not the message, kResourceExhausted
// if it unpacks to more than `limit_bytes`.
Result<RemoteWriteRequest> DecodeRemoteWrite(std::string_view body, std::int64_t limit_bytes);

// The steps of it. Errors: kCorruption and kResourceExhausted of the first, kCorruption
// of the second.
Result<std::string> UnpackSnappy(std::string_view body, std::int64_t limit_bytes);
Result<RemoteWriteRequest> ReadWriteRequest(std::string_view message);

// Headers that go with a body: Content-Type, Content-Encoding and the version.
std::vector<std::pair<std::string, std::string>> RemoteWriteHeaders();

}  // namespace tocsin::formats
