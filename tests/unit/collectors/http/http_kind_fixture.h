#pragma once

// One target of the kind http without a network: the exchanges are the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "collectors/http/http.h"
#include "tests/support/metric_page.h"
#include "tests/support/sim_clock.h"

namespace tocsin::collectors::http {

using Page = testing::MetricPage;

class HttpKindTest : public ::testing::Test {
 protected:
  // Makes the collector of a target; the errors of its configuration are in `errors_`.
  void Load(const std::string& yaml) {
    const ConfigNode node =
        ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_);
    ConfigReader reader(node, errors_);
    target_ = ParseHttpTarget(reader, files_);
    reader.Finish();
    auto any = target_.make({clock_, files_});
    collector_ = std::move(std::get<std::unique_ptr<HttpCollector>>(any));
  }

  CollectContext Context() {
    return {clock_, clock_.WallNow(), clock_.SteadyNow() + kDefaultTimeout, {}};
  }

  Page Probe(HttpExchange exchange) {
    model::MetricBatch batch;
    last_request_ = collector_->Start(Context());
    const auto finished = collector_->Finish(Context(), std::move(exchange), batch);
    EXPECT_TRUE(finished.ok());
    notes_ = batch.notes();
    return testing::PageOfNumbers(batch);
  }

  static HttpExchange Answer(int status, std::string body = {}, double seconds = 0.02) {
    HttpExchange exchange;
    HttpResponse& response = exchange.response;
    response.status = status;
    response.content_length = static_cast<std::int64_t>(body.size());
    response.body = std::move(body);
    response.version = 1.1;
    response.ip_protocol = 4;
    response.ip_address = "127.0.0.1";
    response.stage = HttpStage::kTransfer;
    response.duration_seconds = seconds;
    return exchange;
  }
  static HttpExchange Broken(ErrorCode code, HttpStage stage, double seconds = 0.01) {
    HttpExchange exchange;
    exchange.response.stage = stage;
    exchange.response.duration_seconds = seconds;
    exchange.error = Error{code, "h:80: it broke"};
    return exchange;
  }
  std::string FailureOf(const HttpExchange& exchange) {
    const Page page = Probe(exchange);
    for (const auto& [name, value] : page) {
      const std::string prefix = "tocsin_probe_failure_info{reason=\"";
      if (name.starts_with(prefix)) {
        EXPECT_EQ(page.at("probe_success"), 0);
        return name.substr(prefix.size(), name.size() - prefix.size() - 2);
      }
    }
    EXPECT_EQ(page.at("probe_success"), 1);
    return "";
  }

  testing::SimClock clock_;
  PosixFileSystem files_;
  ConfigErrors errors_;
  ParsedTarget target_;
  std::unique_ptr<HttpCollector> collector_;
  HttpRequest last_request_;
  std::vector<std::string> notes_;
};

}  // namespace tocsin::collectors::http
