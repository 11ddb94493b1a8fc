#pragma once

// Messages of Prometheus' remote read: the raw samples of a selection, staleness
// markers included, which the query API leaves out
// (https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/).
// Stateless; thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/formats/remote_write.h"
#include "daemon/model/matcher.h"
#include "daemon/model/querier.h"

namespace tocsin::formats {

// The body of a request for one selection.
std::string EncodeRemoteRead(const std::vector<model::Matcher>& matchers, model::TimeRange range);

// Headers that go with it; the answer is to be whole, not in chunks.
std::vector<std::pair<std::string, std::string>> RemoteReadHeaders();

// The series of an answer. Native histograms are left out. Errors: kCorruption,
// kResourceExhausted if it unpacks to more than `limit_bytes`.
Result<std::vector<RemoteWriteSeries>> DecodeRemoteRead(std::string_view body,
                                                        std::int64_t limit_bytes);

}  // namespace tocsin::formats
