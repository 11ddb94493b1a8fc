#pragma once

// Somebody else's history over Prometheus' remote read: raw samples, staleness markers
// included. For `tocsin replay`; not thread-safe.

#include <memory>
#include <string>
#include <vector>

#include "daemon/app/api_client.h"
#include "daemon/model/querier.h"

namespace tocsin::app {

class RemoteHistory : public model::Querier {
 public:
  explicit RemoteHistory(DaemonAddress address) : address_(std::move(address)) {}

  // Asks for all samples of the range at once. Errors: as AskDaemon; kCorruption;
  // kResourceExhausted for an answer beyond a gigabyte.
  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;

  // Remote read knows no lists of labels. Errors: kInvalidArgument, always.
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;

 private:
  const DaemonAddress address_;
};

}  // namespace tocsin::app
