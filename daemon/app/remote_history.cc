#include "daemon/app/remote_history.h"

#include <utility>

#include "daemon/formats/remote_read.h"

namespace tocsin::app {
namespace {

constexpr std::int64_t kMaxAnswerBytes = 1 << 30;

class ReceivedSelection : public model::Selection {
 public:
  explicit ReceivedSelection(std::vector<formats::RemoteWriteSeries> series)
      : series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const model::Labels& labels(std::size_t series) const override { return series_[series].labels; }
  Result<> Read(std::size_t series, model::TimeRange range,
                model::SampleColumns& out) const override {
    for (const model::Sample& sample : series_[series].samples) {
      if (sample.time_ms >= range.from_ms && sample.time_ms <= range.to_ms) {
        out.Add(sample.time_ms, sample.value);
      }
    }
    return {};
  }

 private:
  std::vector<formats::RemoteWriteSeries> series_;
};

Error NoLists() { return {ErrorCode::kInvalidArgument, "remote read knows no lists of labels"}; }

}  // namespace

Result<std::unique_ptr<model::Selection>> RemoteHistory::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange range) const {
  TOCSIN_ASSIGN_OR_RETURN(const std::string body,
                          PostToDaemon(address_, "/api/v1/read", formats::RemoteReadHeaders(),
                                       formats::EncodeRemoteRead(matchers, range)));
  TOCSIN_ASSIGN_OR_RETURN(auto series, formats::DecodeRemoteRead(body, kMaxAnswerBytes));
  return std::unique_ptr<model::Selection>(std::make_unique<ReceivedSelection>(std::move(series)));
}

Result<std::vector<std::string>> RemoteHistory::LabelNames(
    const std::vector<model::Matcher>& /*matchers*/, model::TimeRange /*range*/) const {
  return NoLists();
}

Result<std::vector<std::string>> RemoteHistory::LabelValues(
    const std::string& /*name*/, const std::vector<model::Matcher>& /*matchers*/,
    model::TimeRange /*range*/) const {
  return NoLists();
}

}  // namespace tocsin::app
