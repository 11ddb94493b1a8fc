#include "collectors/prometheus/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/formats/exposition.h"
#include "tests/support/sim_clock.h"

namespace tocsin::collectors::prometheus {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

class PrometheusKindTest : public ::testing::Test {
 protected:
  void Load(const std::string& yaml) {
    const ConfigNode node =
        ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_);
    ConfigReader reader(node, errors_);
    target_ = ParsePrometheusTarget(reader, files_);
    reader.Finish();
    auto any = target_.make({clock_, files_});
    collector_ = std::move(std::get<std::unique_ptr<HttpCollector>>(any));
  }

  CollectContext Context() {
    return {clock_, clock_.WallNow(), clock_.SteadyNow() + kDefaultTimeout, {}};
  }

  Result<std::string> Scrape(int status, const std::string& body, const std::string& type = {}) {
    HttpExchange exchange;
    exchange.response.status = status;
    exchange.response.body = body;
    exchange.response.headers = {{"Content-Type", type}};
    model::MetricBatch batch;
    TOCSIN_RETURN_IF_ERROR(collector_->Finish(Context(), exchange, batch));
    std::string page;
    formats::AppendText(batch, {}, page);
    return page;
  }

  testing::SimClock clock_;
  PosixFileSystem files_;
  ConfigErrors errors_;
  ParsedTarget target_;
  std::unique_ptr<HttpCollector> collector_;
};

TEST_F(PrometheusKindTest, AsksLikePrometheus) {
  Load("{ url: 'https://h/metrics', honor_labels: true }");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_EQ(target_.instance, "h:443");
  EXPECT_TRUE(target_.honor_labels);
  const HttpRequest request = collector_->Start(Context());
  EXPECT_EQ(request.accept_encoding, "gzip, deflate");
  EXPECT_FALSE(request.fresh_connection);
  EXPECT_THAT(request.headers, Contains(Pair("Accept", HasSubstr("openmetrics"))));
  EXPECT_THAT(request.headers, Contains(Pair("X-Prometheus-Scrape-Timeout-Seconds", "5")));
}

TEST_F(PrometheusKindTest, PassesThePageOn) {
  Load("{ url: 'http://h:1/metrics' }");
  const std::string page = "# HELP a A.\n# TYPE a counter\na{x=\"1\"} 2 1000\n";
  EXPECT_EQ(*Scrape(200, page, "text/plain; version=0.0.4"), page);
  EXPECT_EQ(*Scrape(200, "# TYPE b counter\nb_total 1\n# EOF\n",
                    "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            "# TYPE b_total counter\nb_total 1\n");
}

TEST_F(PrometheusKindTest, ABrokenPageOrAnotherStatusFailsTheScrape) {
  Load("{ url: 'http://h:1/metrics', sample_limit: 1 }");
  EXPECT_EQ(Scrape(200, "<html>").error().code, ErrorCode::kCorruption);
  EXPECT_EQ(Scrape(503, "a 1\n").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Scrape(401, "a 1\n").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(Scrape(200, "a 1\nb 1\n").error().code, ErrorCode::kResourceExhausted);
}

TEST_F(PrometheusKindTest, DropsItsTimesOnRequest) {
  Load("{ url: 'http://h:1/metrics', honor_timestamps: false }");
  EXPECT_EQ(*Scrape(200, "a 1 5\n"), "# TYPE a untyped\na 1\n");
}

TEST_F(PrometheusKindTest, Relabels) {
  Load(R"(
url: http://h:1/metrics
metric_relabel_configs:
  - { source_labels: [__name__], regex: go_.*, action: drop }
  - { source_labels: [path], regex: /api/(.*), target_label: route }
  - { regex: path, action: labeldrop }
)");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_EQ(*Scrape(200, "go_x 1\n# HELP r R.\n# TYPE r counter\nr{path=\"/api/b\"} 2\n"),
            "# HELP r R.\n# TYPE r counter\nr{route=\"b\"} 2\n");
}

}  // namespace
}  // namespace tocsin::collectors::prometheus
