#include "daemon/formats/remote_read.h"

#include <snappy.h>

#include <iterator>

#include "daemon/formats/protobuf_reader.h"
#include "daemon/formats/remote_read.pb.h"

namespace tocsin::formats {
namespace {

// Of the answer; a result has the shape of a WriteRequest.
constexpr std::uint32_t kResults = 1;

int TypeOf(model::MatchOp op) {
  switch (op) {
    case model::MatchOp::kEqual: return 0;
    case model::MatchOp::kNotEqual: return 1;
    case model::MatchOp::kRegex: return 2;
    case model::MatchOp::kNotRegex: return 3;
  }
  return 0;
}

}  // namespace

std::string EncodeRemoteRead(const std::vector<model::Matcher>& matchers, model::TimeRange range) {
  proto::ReadRequest request;
  proto::ReadQuery& query = *request.add_queries();
  query.set_start_timestamp_ms(range.from_ms);
  query.set_end_timestamp_ms(range.to_ms);
  for (const model::Matcher& matcher : matchers) {
    proto::LabelMatcher& one = *query.add_matchers();
    one.set_type(TypeOf(matcher.op()));
    one.set_name(matcher.name());
    one.set_value(matcher.value());
  }
  const std::string plain = request.SerializeAsString();
  std::string body;
  snappy::Compress(plain.data(), plain.size(), &body);
  return body;
}

std::vector<std::pair<std::string, std::string>> RemoteReadHeaders() {
  return {{"Content-Type", "application/x-protobuf"},
          {"Content-Encoding", "snappy"},
          {"X-Prometheus-Remote-Read-Version", "0.1.0"}};
}

Result<std::vector<RemoteWriteSeries>> DecodeRemoteRead(std::string_view body,
                                                        std::int64_t limit_bytes) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string plain, UnpackSnappy(body, limit_bytes));
  std::vector<RemoteWriteSeries> series;
  ProtobufReader reader(plain);
  while (reader.Next()) {
    if (reader.field() != kResults) continue;
    TOCSIN_ASSIGN_OR_RETURN(RemoteWriteRequest result, ReadWriteRequest(reader.Bytes()));
    series.insert(series.end(), std::make_move_iterator(result.series.begin()),
                  std::make_move_iterator(result.series.end()));
  }
  if (!reader.failed()) return series;
  return Error{ErrorCode::kCorruption, "proto: the body is not a ReadResponse"};
}

}  // namespace tocsin::formats
