// Samples that others send to the built program: remote write and the import of text
// pages, then read back through the query API.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <nlohmann/json.hpp>

#include "daemon/base/file_system.h"
#include "daemon/base/gzip.h"
#include "daemon/formats/remote_write.h"
#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

using formats::RemoteWriteSeries;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kAccepting[] = "web: { accept_remote_write: true }\n";

std::unique_ptr<DaemonProcess> StartDaemon(const std::string& config) {
  auto daemon = DaemonProcess::Start(config);
  EXPECT_TRUE(daemon.ok()) << daemon.error().message;
  return daemon.ok() ? *std::move(daemon) : nullptr;
}

class RemoteWriteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_ = StartDaemon(kAccepting);
    ASSERT_NE(daemon_, nullptr);
  }

  HttpResponse Write(const std::vector<RemoteWriteSeries>& series) {
    return daemon_->Post("/api/v1/write", formats::EncodeRemoteWrite(series),
                         formats::RemoteWriteHeaders());
  }
  HttpResponse WriteMessage(const std::string& message) {
    std::string body;
    snappy::Compress(message.data(), message.size(), &body);
    return daemon_->Post("/api/v1/write", body, formats::RemoteWriteHeaders());
  }

  // The `result` of a query at `time`, as JSON text.
  std::string ResultAt(const std::string& time, const std::string& query) {
    const auto answer = nlohmann::json::parse(
        daemon_->Get("/api/v1/query?time=" + time + "&query=" + PercentEncode(query)).body);
    return answer.value("data", nlohmann::json::object())["result"].dump();
  }

  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(RemoteWriteTest, SamplesAreStoredAsTheyCameFromTheBeginningOfTimeOn) {
  const HttpResponse response =
      Write({{{{"__name__", "m"}, {"job", "a"}},
              {{-1000, 1}, {0, 2}, {1, 0.1}, {15'000, model::NormalNaN()}}},
             {{{"__name__", "ends"}}, {{0, 1}, {10'000, model::StaleMarker()}}}});
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(ResultAt("15", "m[1m]"), R"([{"metric":{"__name__":"m","job":"a"},)"
                                     R"("values":[[-1,"1"],[0,"2"],[0.001,"0.1"],[15,"NaN"]]}])");
  EXPECT_EQ(ResultAt("9.999", "ends"), R"([{"metric":{"__name__":"ends"},"value":[9.999,"1"]}])");
  // The marker ends the series, a NaN would not.
  EXPECT_EQ(ResultAt("10", "ends"), "[]");
  EXPECT_EQ(ResultAt("15", "m"), R"([{"metric":{"__name__":"m","job":"a"},"value":[15,"NaN"]}])");
  // Committed samples survive a crash.
  ASSERT_TRUE(daemon_->KillAndStart().ok());
  EXPECT_EQ(ResultAt("10", "ends"), "[]");
  EXPECT_EQ(ResultAt("0", "ends"), R"([{"metric":{"__name__":"ends"},"value":[0,"1"]}])");
}

TEST_F(RemoteWriteTest, WhatASeriesCannotTakeIsRefusedAndTheRestStored) {
  ASSERT_EQ(Write({{{{"__name__", "m"}}, {{10'000, 1}}}}).status, 204);
  // The same again is fine: a sender repeats what it is not sure of.
  EXPECT_EQ(Write({{{{"__name__", "m"}}, {{10'000, 1}}}}).status, 204);

  HttpResponse response =
      Write({{{{"__name__", "m"}}, {{5000, 1}, {20'000, 2}}}, {{{"__name__", "n"}}, {{1, 1}}}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "out of order sample\n");
  EXPECT_EQ(response.Header("X-Prometheus-Remote-Write-Samples-Written"), "2");
  EXPECT_EQ(response.Header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(ResultAt("20", "m"), R"([{"metric":{"__name__":"m"},"value":[20,"2"]}])");
  EXPECT_EQ(ResultAt("20", "n"), R"([{"metric":{"__name__":"n"},"value":[20,"1"]}])");

  response = Write({{{{"__name__", "m"}}, {{20'000, 3}}}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "duplicate sample for timestamp\n");

  const std::int64_t now_ms = ToUnixMillis(SystemClock().WallNow());
  response = Write({{{{"__name__", "far"}}, {{now_ms + 900'000, 1}}},
                    {{{"__name__", "near"}}, {{now_ms + 60'000, 1}}}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "out of bounds: timestamp is too far in the future\n");
  EXPECT_EQ(daemon_->Query("count({__name__=~\"far|near\"} @ " +
                           std::to_string(now_ms / 1000 + 1000) + ")"),
            std::nullopt);
  EXPECT_EQ(ResultAt(std::to_string(now_ms / 1000 + 200), "count({__name__=~\"far|near\"})"),
            "[{\"metric\":{},\"value\":[" + std::to_string(now_ms / 1000 + 200) + ",\"1\"]}]");
}

TEST_F(RemoteWriteTest, NativeHistogramsAndWrongLabelsAreNamed) {
  // A WriteRequest of a series with a histogram, one without a name, and a good one.
  const auto field = [](int number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
  };
  const auto label = [&](const std::string& name, const std::string& value) {
    return field(1, field(1, name) + field(2, value));
  };
  const std::string sample = field(2, "\x09" + std::string(6, '\0') + "\xf0\x3f");
  const HttpResponse response = WriteMessage(
      field(1, label("__name__", "latency") + field(4, "\x08\x01")) +
      field(1, label("job", "a") + sample) + field(1, label("__name__", "m") + sample));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            "invalid metric name or labels, got {job=\"a\"}\n"
            "native histograms are not supported: latency\n");
  EXPECT_EQ(response.Header("X-Prometheus-Remote-Write-Samples-Written"), "1");
  EXPECT_EQ(ResultAt("0", "m"), R"([{"metric":{"__name__":"m"},"value":[0,"1"]}])");
}

TEST_F(RemoteWriteTest, OtherMessagesAndGarbageGetPrometheusAnswers) {
  const std::string good =
      formats::EncodeRemoteWrite(std::vector<RemoteWriteSeries>{{{{"__name__", "m"}}, {{0, 1}}}});
  struct Case {
    std::string type, encoding, body;
    int status;
    std::string text;
  };
  const std::vector<Case> cases = {
      {"application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", good, 415,
       "io.prometheus.write.v2.Request protobuf message is not accepted by this server; accepted "
       "[prometheus.WriteRequest]\n"},
      {"application/json", "snappy", good, 415,
       "expected application/x-protobuf as the first (media) part, got application/json "
       "content-type\n"},
      {"application/x-protobuf;proto=x", "snappy", good, 415,
       "got application/x-protobuf;proto=x content type; unknown remote write protobuf message x, "
       "supported: prometheus.WriteRequest, io.prometheus.write.v2.Request\n"},
      {"application/x-protobuf", "zstd", good, 415,
       "zstd encoding (compression) is not accepted by this server; only snappy is acceptable\n"},
      {"application/x-protobuf", "snappy", "garbage", 400, "snappy: corrupt input\n"},
      {"application/x-protobuf", "snappy", std::string("\x04\x0c\xff\xff\xff\xff", 6), 400,
       "proto: the body is not a WriteRequest\n"},
      {"application/x-protobuf;proto=prometheus.WriteRequest", "Snappy", good, 204, ""},
      {"application/x-protobuf", "", good, 204, ""},
  };
  for (const Case& test : cases) {
    const HttpResponse response =
        daemon_->Post("/api/v1/write", test.body,
                      {{"Content-Type", test.type}, {"Content-Encoding", test.encoding}});
    EXPECT_EQ(response.status, test.status) << test.type << " " << test.encoding;
    EXPECT_EQ(response.body, test.text);
  }
  EXPECT_EQ(daemon_->Get("/api/v1/write").status, 405);
}

TEST_F(RemoteWriteTest, TextPagesAreImportedWithTheirTimes) {
  HttpResponse response = daemon_->Post("/api/v1/import/prometheus?extra_label=env%3Dtest",
                                        "# HELP m Many things.\n# TYPE m counter\n"
                                        "m{job=\"a\"} 2 15000\nm{job=\"a\",env=\"x\"} 1 0\nn 7\n",
                                        {{"Content-Type", "application/x-www-form-urlencoded"}});
  EXPECT_EQ(response.status, 204) << response.body;
  // An extra label replaces the page's; what is older may come later on the page.
  EXPECT_EQ(ResultAt("15", "m[1m]"),
            R"([{"metric":{"__name__":"m","env":"test","job":"a"},"values":[[0,"1"],[15,"2"]]}])");
  EXPECT_EQ(daemon_->Query("n"), 7);
  EXPECT_THAT(daemon_->Get("/api/v1/metadata?metric=m").body,
              HasSubstr(R"("m":[{"type":"counter","help":"Many things.","unit":""}])"));

  response = daemon_->Post("/api/v1/import/prometheus?timestamp=3000", "o 1\n");
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(ResultAt("3", "o[1s]"), R"([{"metric":{"__name__":"o"},"values":[[3,"1"]]}])");

  response = daemon_->Post("/api/v1/import/prometheus", "p 1 0\nq{ 2\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, StartsWith("line 2: "));
  EXPECT_EQ(ResultAt("0", "p"), R"([{"metric":{"__name__":"p"},"value":[0,"1"]}])");
  EXPECT_EQ(daemon_->Post("/api/v1/import/prometheus?timestamp=soon", "p 1\n").status, 400);
  EXPECT_EQ(daemon_->Post("/api/v1/import/prometheus?extra_label=x", "p 1\n").status, 400);
}

TEST_F(RemoteWriteTest, ImportedPagesMayBeGzipped) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  std::string page;
  for (int i = 0; i < 1000; ++i) page += "many{i=\"" + std::to_string(i) + "\"} 1 0\n";
  ASSERT_TRUE(files.WriteAtomically(folder.File("page"), page).ok());
  ASSERT_TRUE(RunProcess({.argv = {"gzip", folder.File("page")}}).ok());
  const auto zipped = files.Read(folder.File("page.gz"));
  ASSERT_TRUE(zipped.ok());
  const HttpResponse response =
      daemon_->Post("/api/v1/import/prometheus", *zipped, {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(ResultAt("0", "count(many)"), R"([{"metric":{},"value":[0,"1000"]}])");
  const std::string path = "/api/v1/import/prometheus";
  EXPECT_EQ(daemon_->Post(path, Gzip(""), {{"Content-Encoding", "gzip"}}).status, 204);
  EXPECT_EQ(daemon_->Post(path, "p 1\n", {{"Content-Encoding", "gzip"}}).status, 400);
  EXPECT_EQ(daemon_->Post(path, "p 1\n", {{"Content-Encoding", "zstd"}}).status, 415);
  EXPECT_EQ(daemon_
                ->Post("/api/v1/query", Gzip("query=1"),
                       {{"Content-Encoding", "gzip"},
                        {"Content-Type", "application/x-www-form-urlencoded"}})
                .status,
            200);
}

TEST(RemoteWriteSwitchTest, NothingIsReceivedUnlessTheConfigurationAllowsIt) {
  const auto daemon = StartDaemon("");
  ASSERT_NE(daemon, nullptr);
  for (const char* path : {"/api/v1/write", "/api/v1/import/prometheus"}) {
    const HttpResponse response = daemon->Post(path, "m 1\n");
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.body,
              "remote write receiver needs to be enabled with web.accept_remote_write: true in the "
              "configuration\n");
  }
}

// Slots are an hour apart: only the arrival can have made the rule look.
TEST(RemoteWriteRulesTest, RulesEvaluateWhenTheSamplesArrive) {
  const TemporaryFolder folder;
  PosixFileSystem files;
  ASSERT_TRUE(files
                  .WriteAtomically(folder.File("rules.yaml"),
                                   "groups:\n- name: g\n  interval: 1h\n  rules:\n"
                                   "  - { alert: TooMany, expr: queue_length > 10 }\n")
                  .ok());
  const auto daemon =
      StartDaemon(std::string(kAccepting) + "rules: [ " + folder.File("rules.yaml") + " ]\n");
  ASSERT_NE(daemon, nullptr);
  const auto write = [&](double value) {
    const std::int64_t now_ms = ToUnixMillis(SystemClock().WallNow());
    return daemon
        ->Post("/api/v1/write",
               formats::EncodeRemoteWrite(std::vector<RemoteWriteSeries>{
                   {{{"__name__", "queue_length"}}, {{now_ms, value}}}}),
               formats::RemoteWriteHeaders())
        .status;
  };
  ASSERT_EQ(write(11), 204);
  EXPECT_TRUE(daemon->WaitForAlert("TooMany", "firing")) << daemon->Output();
  ASSERT_EQ(write(3), 204);
  EXPECT_TRUE(daemon->WaitForAlert("TooMany", "")) << daemon->Output();
}

TEST(RemoteWritePrometheusTest, ARealPrometheusSendsItsSamplesAndMetadata) {
  const auto daemon = StartDaemon(kAccepting);
  ASSERT_NE(daemon, nullptr);
  const TemporaryFolder folder;
  PosixFileSystem files;
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  ASSERT_TRUE(files
                  .WriteAtomically(folder.File("prometheus.yml"),
                                   "global: { scrape_interval: 1s }\n"
                                   "scrape_configs:\n"
                                   "- { job_name: self, static_configs: [ { targets: [ '" +
                                       address +
                                       "' ] } ] }\n"
                                       "remote_write:\n- url: " +
                                       daemon->Url("/api/v1/write") +
                                       "\n  metadata_config: { send_interval: 1s }\n"
                                       "  queue_config: { batch_send_deadline: 500ms }\n")
                  .ok());
  ProcessOptions options;
  options.argv = {"prometheus", "--config.file=" + folder.File("prometheus.yml"),
                  "--storage.tsdb.path=" + folder.File("data"), "--web.listen-address=" + address};
  options.output = folder.File("prometheus.out");
  auto prometheus = ChildProcess::Start(options);
  ASSERT_TRUE(prometheus.ok()) << prometheus.error().message;
  EXPECT_TRUE(daemon->WaitForValue("up{job=\"self\"}", 1)) << (*prometheus)->Output();
  EXPECT_TRUE(WaitUntil([&] {
    return daemon->Get("/api/v1/metadata?metric=prometheus_build_info")
               .body.find("\"type\":\"gauge\"") != std::string::npos;
  })) << (*prometheus)->Output();
  EXPECT_EQ((*prometheus)->Output().find("non-recoverable error"), std::string::npos)
      << (*prometheus)->Output();
}

}  // namespace
}  // namespace tocsin::testing
