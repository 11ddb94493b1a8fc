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
    auto any = target_.make(
        {clock_, files_, model::Labels{{"job", "app"}, {"instance", "h:1"}, {"env", "prod"}}});
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

// As in Prometheus: the target's labels are there when the rules come, and what the rules
// leave is what is stored. Here the page has what differs from the target's labels.
TEST_F(PrometheusKindTest, RelabellingSeesAndChangesTheTargetsLabels) {
  Load(R"yaml(
url: http://h:1/metrics
metric_relabel_configs:
  - { source_labels: [instance, exported_instance], separator: "|", regex: "h:1\\|(.+)", target_label: instance }
  - { source_labels: [env], regex: prod, target_label: tier, replacement: first }
  - { regex: env|exported_instance, action: labeldrop }
)yaml");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  EXPECT_TRUE(target_.honor_labels);
  EXPECT_EQ(*Scrape(200, "a 1\n"), "# TYPE a untyped\na{tier=\"first\",env=\"\"} 1\n");
  EXPECT_EQ(*Scrape(200, "a{instance=\"own\"} 1\n"),
            "# TYPE a untyped\na{instance=\"own\",tier=\"first\",env=\"\"} 1\n");
}

TEST_F(PrometheusKindTest, LimitsCountWhatRelabellingLeaves) {
  Load(R"(
url: http://h:1/metrics
sample_limit: 2
metric_relabel_configs: [ { source_labels: [__name__], regex: go_.*, action: drop } ]
)");
  EXPECT_TRUE(Scrape(200, "go_a 1\ngo_b 1\na 1\nb 1\n").ok());
  const auto three = Scrape(200, "a 1\nb 1\nc 1\n");
  ASSERT_FALSE(three.ok());
  EXPECT_EQ(three.error().code, ErrorCode::kResourceExhausted);
  // job, instance, env and the name are four.
  Load("{ url: 'http://h:1/metrics', label_limit: 5 }");
  EXPECT_EQ(*Scrape(200, "a{x=\"1\"} 1\n"), "# TYPE a untyped\na{x=\"1\"} 1\n");
  const auto six = Scrape(200, "a{x=\"1\",y=\"2\"} 1\n");
  ASSERT_FALSE(six.ok());
  EXPECT_THAT(six.error().message, HasSubstr("metric a: more than 5 labels"));
  Load("{ url: 'http://h:1/metrics', label_value_length_limit: 4 }");
  EXPECT_TRUE(Scrape(200, "a{x=\"1234\"} 1\n").ok());
  EXPECT_FALSE(Scrape(200, "a{x=\"12345\"} 1\n").ok());
  Load("{ url: 'http://h:1/metrics', label_name_length_limit: 8 }");
  EXPECT_TRUE(Scrape(200, "a{path=\"1\"} 1\n").ok());
  EXPECT_FALSE(Scrape(200, "a{long_name=\"1\"} 1\n").ok());
}

TEST_F(PrometheusKindTest, LabelsMayHoldAnyBytesThatAreText) {
  Load("{ url: 'http://h:1/metrics' }");
  const std::string line = R"(a{x="quote \" back \\ line\nend"} 1)";
  EXPECT_EQ(*Scrape(200, line + "\n"), "# TYPE a untyped\n" + line + "\n");
  // Bytes that are no text cost themselves, not the page.
  const auto mended = Scrape(200, "a{x=\"\xff\"} 1\n");
  ASSERT_TRUE(mended.ok()) << mended.error().message;
  EXPECT_EQ(*mended, "# TYPE a untyped\na{x=\"\xEF\xBF\xBD\"} 1\n");
  EXPECT_FALSE(Scrape(200, "a{x=\"1} 1\n").ok());
  EXPECT_FALSE(Scrape(200, std::string("a\0b 1\n", 6)).ok());
}

}  // namespace
}  // namespace tocsin::collectors::prometheus
