// What is pushed arrives: a real Prometheus with its remote-write receiver and a real
// Pushgateway, asked for what they have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "daemon/base/http_client.h"
#include "daemon/base/metrics.h"
#include "daemon/formats/exposition.h"
#include "daemon/model/sample.h"
#include "daemon/push/push.h"
#include "tests/support/process.h"

namespace tocsin::push {
namespace {

using testing::ChildProcess;
using testing::FreePort;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;
using testing::WaitUntil;

class PushIntegrationTest : public ::testing::Test {
 protected:
  std::string Url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  HttpResponse Get(const std::string& path) {
    HttpRequest request;
    request.url = Url(path);
    return Fetch(client_, request, clock_.SteadyNow() + std::chrono::seconds(5)).response;
  }

  // Starts the server and waits until it is ready; skips loudly if it is not installed.
  void StartServer(std::vector<std::string> argv) {
    if (port_ == 0) port_ = FreePort();
    argv.push_back("--web.listen-address=127.0.0.1:" + std::to_string(port_));
    testing::ProcessOptions options;
    options.argv = std::move(argv);
    options.output = folder_.File("log");
    auto started = ChildProcess::Start(options);
    ASSERT_TRUE(started.ok()) << "install the package first: " << started.error().message;
    server_ = *std::move(started);
    ASSERT_TRUE(WaitUntil([&] { return Get("/-/ready").status == 200; })) << server_->Output();
  }

  void StartPrometheus() {
    std::ofstream(folder_.File("prometheus.yml")) << "global: {}\n";
    StartServer({"prometheus", "--config.file=" + folder_.File("prometheus.yml"),
                 "--storage.tsdb.path=" + folder_.File("tsdb"),
                 "--web.enable-remote-write-receiver"});
  }

  void MakePusher(const std::string& yaml, const model::Labels& external = {}) {
    ConfigErrors errors;
    const ConfigNode node = ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors);
    const PushConfig config = ParsePushConfig(ConfigReader(node, errors), files_);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    pusher_ = std::make_unique<Pusher>(
        config, external, [this] { return pages_; }, clock_, executors_, client_, files_,
        registry_);
  }

  void Commit(const model::Labels& labels, double value) {
    const model::SeriesRef series{1, labels};
    const model::SeriesSample sample{&series, ToUnixMillis(clock_.WallNow()), value};
    pusher_->OnCommit({}, {&sample, 1});
  }

  // The value of an instant query's only series, as text; empty if there is none.
  std::string Query(const std::string& query) {
    const auto answer = Get("/api/v1/query?query=" + PercentEncode(query));
    const auto json = nlohmann::json::parse(answer.body, nullptr, false);
    if (json.is_discarded()) return "no JSON: " + answer.body;
    const auto& result = json["data"]["result"];
    return result.size() == 1 ? result[0]["value"][1].get<std::string>() : std::string();
  }

  SystemClock clock_;
  ThreadExecutors executors_{clock_};
  PosixFileSystem files_;
  MetricRegistry registry_;
  TemporaryFolder folder_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> server_;
  CurlHttpClient client_{clock_};
  std::vector<PushPage> pages_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(PushIntegrationTest, SamplesArriveInPrometheusAndEndThereToo) {
  StartPrometheus();
  MakePusher(
      "remote_write: [ { url: '" + Url("/api/v1/write") + "', queue: { batch_deadline: 100ms } } ]",
      {{"env", "test"}});
  const model::Labels series = {{"__name__", "tocsin_test"}, {"odd", "a\"b\\c\nd é"}};
  Commit(series, 42.5);
  EXPECT_TRUE(WaitUntil([&] { return Query("tocsin_test{env=\"test\"}") == "42.5"; }));
  Commit(series, model::StaleMarker());
  EXPECT_TRUE(WaitUntil([&] { return Query("tocsin_test").empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return pusher_->Idle(); }));
  EXPECT_THAT(registry_.Text(),
              HasSubstr("tocsin_remote_write_samples_sent_total{destination=\"127.0.0.1:" +
                        std::to_string(port_) + "\"} 2"));
}

TEST_F(PushIntegrationTest, SamplesWaitWhilePrometheusIsDown) {
  port_ = FreePort();
  MakePusher("remote_write: [ { url: '" + Url("/api/v1/write") +
             "', queue: { batch_deadline: 50ms, min_backoff: 50ms, max_backoff: 200ms } } ]");
  Commit({{"__name__", "early"}}, 1);
  EXPECT_TRUE(WaitUntil([&] {
    return registry_.Text().find("tocsin_remote_write_retries_total") != std::string::npos &&
           !pusher_->Idle();
  }));
  StartPrometheus();
  EXPECT_TRUE(WaitUntil([&] { return Query("early") == "1"; }));
}

TEST_F(PushIntegrationTest, TheLatestPageStandsInThePushgatewayUntilItsTargetGoes) {
  StartServer({"prometheus-pushgateway"});
  auto batch = std::make_shared<model::MetricBatch>();
  batch->Add(batch->DeclareFamily("probe_success", "Help \\ with\nlines.",
                                  model::MetricType::kGauge, {"odd"}),
             {"a\"b\\c\nd é"}, 1);
  const auto pool = batch->DeclareFamily("h", "H.", model::MetricType::kHistogram);
  const double bounds[] = {0.5};
  const std::uint64_t counts[] = {1, 2};
  batch->AddHistogram(pool, {}, {bounds, counts, 4});
  formats::TextPage page;
  page.Add(batch, {{"job", "http"}, {"instance", "http://h/x"}}, false);
  std::string body;
  page.AppendTo({.timestamps = false}, body);
  pages_ = {{{{"job", "http"}, {"instance", "http://h/x"}}, body}};
  MakePusher("pushgateway: [ { url: '" + Url("") + "', every: 1h } ]");
  pusher_->Flush();
  ASSERT_TRUE(WaitUntil([&] { return pusher_->Idle(); }));
  const std::string shown = Get("/metrics").body;
  EXPECT_THAT(shown, HasSubstr("probe_success{instance=\"http://h/x\",job=\"http\","
                               "odd=\"a\\\"b\\\\c\\nd é\"} 1"));
  EXPECT_THAT(shown, HasSubstr("h_bucket{instance=\"http://h/x\",job=\"http\",le=\"+Inf\"} 3"));
  pages_.clear();
  pusher_->Flush();
  ASSERT_TRUE(WaitUntil([&] { return pusher_->Idle(); }));
  EXPECT_THAT(Get("/metrics").body, Not(HasSubstr("probe_success")));
}

}  // namespace
}  // namespace tocsin::push
