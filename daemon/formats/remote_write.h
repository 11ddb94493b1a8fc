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
#include "daemon/model/sample.h"

namespace tocsin::formats {

struct RemoteWriteSeries {
  model::Labels labels;  // With __name__.
  std::vector<model::Sample> samples;
};

// The body of one request: encoded and compressed.
std::string EncodeRemoteWrite(std::span<const RemoteWriteSeries> series);

// A body's series, labels sorted, in the order they came; those without samples are
// left out. Native histograms, exemplars and metadata are not ours and skipped;
// `histograms_skipped`, if given, counts the series that carried histograms.
// Errors: kCorruption for what is not snappy or not the message, kInvalidArgument for
// label sets a sender must not send (no __name__, empty or repeated names),
// kResourceExhausted if it unpacks to more than `limit_bytes`.
Result<std::vector<RemoteWriteSeries>> DecodeRemoteWrite(
    std::string_view body, std::int64_t limit_bytes, std::int64_t* histograms_skipped = nullptr);

// Headers that go with a body: Content-Type, Content-Encoding and the version.
std::vector<std::pair<std::string, std::string>> RemoteWriteHeaders();

}  // namespace tocsin::formats
