#include "daemon/formats/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "daemon/base/text.h"
#include "daemon/model/sample.h"

namespace tocsin::formats {
namespace {

using model::MetricBatch;
using model::MetricType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A batch as lines `family type name{labels} value [time]`.
std::vector<std::string> Rows(const MetricBatch& batch) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    const auto& family = batch.families()[row.family];
    std::string line = family.name + " " + std::string(model::MetricTypeName(family.type)) + " " +
                       std::string(row.name) + "{";
    for (std::uint32_t j = 0; j < row.label_count; ++j) {
      line += std::string(row.label(j).first) + "=" + std::string(row.label(j).second) + ";";
    }
    line += "} " + FormatDouble(row.value);
    if (row.time_ms) line += " @" + std::to_string(*row.time_ms);
    lines.push_back(line);
  }
  return lines;
}

MetricBatch Parse(std::string_view page, ParseOptions options = {}) {
  MetricBatch batch;
  const auto parsed = ParseExposition(page, options, batch);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return batch;
}

std::string ErrorOf(std::string_view page, ParseOptions options = {}) {
  MetricBatch batch;
  const auto parsed = ParseExposition(page, options, batch);
  return parsed.ok() ? "no error" : parsed.error().message;
}

constexpr ParseOptions kOpenMetrics{.format = ExpositionFormat::kOpenMetrics};

std::string ReadPage(const std::string& name) {
  std::ifstream file(std::string(TOCSIN_SOURCE_DIR) + "/tests/unit/daemon/formats/pages/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ExpositionWriterTest, WritesEachFamilyOnceWithItsRowsTogether) {
  MetricBatch batch;
  const auto a = batch.DeclareFamily("a_total", "How many\nof \\ a.", MetricType::kCounter, {"x"});
  const auto b = batch.DeclareFamily("b", "", MetricType::kGauge);
  batch.DeclareFamily("never", "No rows.", MetricType::kGauge);
  batch.Add(a, {"q\"uo\\te\n"}, 1);
  batch.Add(b, 0.1);
  batch.Add(a, {""}, 1e21);
  std::string page;
  AppendText(batch, {}, page);
  EXPECT_EQ(page,
            "# HELP a_total How many\\nof \\\\ a.\n"
            "# TYPE a_total counter\n"
            "a_total{x=\"q\\\"uo\\\\te\\n\"} 1\n"
            "a_total{x=\"\"} 1e+21\n"
            "# TYPE b gauge\n"
            "b 0.1\n");
}

TEST(ExpositionWriterTest, WritesHistogramsSpecialValuesAndTimes) {
  MetricBatch batch;
  const auto h = batch.DeclareFamily("h", "H.", MetricType::kHistogram, {"k"});
  const double bounds[] = {0.5, 1};
  const std::uint64_t counts[] = {2, 0, 1};
  const std::string_view values[] = {"v"};
  batch.AddHistogram(h, values, {bounds, counts, 3.5});
  const auto g = batch.DeclareFamily("g", "", MetricType::kInfo);
  batch.AddSample(g, "g", {}, std::nan(""), 1500);
  batch.AddSample(g, "g", {}, -INFINITY);
  std::string page;
  AppendText(batch, {}, page);
  EXPECT_EQ(page,
            "# HELP h H.\n# TYPE h histogram\n"
            "h_bucket{k=\"v\",le=\"0.5\"} 2\nh_bucket{k=\"v\",le=\"1\"} 2\n"
            "h_bucket{k=\"v\",le=\"+Inf\"} 3\nh_sum{k=\"v\"} 3.5\nh_count{k=\"v\"} 3\n"
            "# TYPE g gauge\ng NaN 1500\ng -Inf\n");
  page.clear();
  AppendText(batch, {.timestamps = false}, page);
  EXPECT_THAT(page, HasSubstr("g NaN\n"));
}

TEST(ExpositionWriterTest, MergesTargetsByFamilyAndKeepsTheirLabelsApart) {
  auto one = std::make_shared<MetricBatch>();
  one->Add(one->DeclareFamily("up_time", "U.", MetricType::kGauge, {"job", "x"}), {"own", "1"}, 1);
  auto two = std::make_shared<MetricBatch>();
  two->AddGauge("another", "A.", 5);
  two->Add(two->DeclareFamily("up_time", "Other words.", MetricType::kGauge), 2);
  TextPage page;
  page.Add(one, {{"job", "redis"}, {"instance", "a"}}, /*honor_labels=*/false);
  page.Add(one, {{"job", "redis"}, {"instance", "b"}}, /*honor_labels=*/true);
  page.Add(two, {{"job", "host"}}, /*honor_labels=*/false);
  std::string text;
  EXPECT_EQ(page.AppendTo({}, text), 0);
  EXPECT_EQ(text,
            "# HELP another A.\n# TYPE another gauge\nanother{job=\"host\"} 5\n"
            "# HELP up_time U.\n# TYPE up_time gauge\n"
            "up_time{instance=\"a\",job=\"redis\",exported_job=\"own\",x=\"1\"} 1\n"
            "up_time{instance=\"b\",job=\"own\",x=\"1\"} 1\n"
            "up_time{job=\"host\"} 2\n");
}

TEST(ExpositionWriterTest, ALabelThatWasExportedBeforeIsExportedOnceMore) {
  auto batch = std::make_shared<MetricBatch>();
  batch->Add(batch->DeclareFamily("g", "", MetricType::kGauge, {"job", "exported_job"}),
             {"page", "of another page"}, 1);
  TextPage page;
  page.Add(batch, {{"job", "prometheus"}}, /*honor_labels=*/false);
  std::string text;
  EXPECT_EQ(page.AppendTo({}, text), 0);
  EXPECT_EQ(text,
            "# TYPE g gauge\n"
            "g{job=\"prometheus\",exported_exported_job=\"page\",exported_job=\"of another page\"} "
            "1\n");
}

TEST(ExpositionWriterTest, LeavesOutWhatStandsThereAlready) {
  auto batch = std::make_shared<MetricBatch>();
  batch->AddGauge("g", "", 1);
  TextPage page;
  page.Add(batch, {{"job", "x"}}, false);
  page.Add(batch, {{"job", "x"}}, false);
  std::string text;
  EXPECT_EQ(page.AppendTo({}, text), 1);
  EXPECT_EQ(text, "# TYPE g gauge\ng{job=\"x\"} 1\n");
}

TEST(ExpositionParserTest, ReadsTextFormat) {
  const auto batch = Parse(
      "# HELP http_requests_total The \\\\ total\\nnumber.\n"
      "# TYPE http_requests_total counter\n"
      "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
      "\n"
      "# A comment.\n"
      "  msdos { path = \"C:\\\\DIR\\\\F\\n\\\"x\\\"\" , } 1.458255915e9 \n"
      "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
      "# TYPE rpc histogram\n"
      "rpc_bucket{le=\"+Inf\"} 3\nrpc_sum 1.5\nrpc_count 3\n"
      "# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum 1\ns_count 2\n"
      "http_requests_total{method=\"get\"} 7");
  EXPECT_THAT(Rows(batch),
              ElementsAre("http_requests_total counter "
                          "http_requests_total{method=post;code=200;} 1027 @1395066363000",
                          "msdos untyped msdos{path=C:\\DIR\\F\n\"x\";} 1458255915",
                          "something_weird untyped something_weird{problem=division by zero;} +Inf "
                          "@-3982045",
                          "rpc histogram rpc_bucket{le=+Inf;} 3", "rpc histogram rpc_sum{} 1.5",
                          "rpc histogram rpc_count{} 3", "s summary s{quantile=0.5;} NaN",
                          "s summary s_sum{} 1", "s summary s_count{} 2",
                          "http_requests_total counter http_requests_total{method=get;} 7"));
  EXPECT_EQ(batch.families()[0].help, "The \\ total\nnumber.");
}

TEST(ExpositionParserTest, MakesEveryNaNTheNormalOne) {
  const auto batch = Parse("a NaN\nb nan\nc -NaN\n");
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(batch.row(i).value), model::kNormalNaNBits);
  }
}

TEST(ExpositionParserTest, ReadsOpenMetrics) {
  const auto batch = Parse(
      "# TYPE jobs counter\n# HELP jobs Jobs done.\n# UNIT jobs things\n"
      "jobs_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"oHg5SJ\"} 0.67 1520879607\n"
      "jobs_created 1520430000.123\n"
      "# TYPE build info\nbuild_info{v=\"1\"} 1\n"
      "# TYPE h histogram\nh_bucket{le=\"1\"} 4 # {} 0.5\nh_count 4\n"
      "# TYPE st stateset\nst{st=\"on\"} 1\n"
      "# EOF\n",
      kOpenMetrics);
  EXPECT_THAT(Rows(batch),
              ElementsAre("jobs_total counter jobs_total{a=b;} 17 @1520879607789",
                          "jobs_created untyped jobs_created{} 1520430000.123",
                          "build_info info build_info{v=1;} 1", "h histogram h_bucket{le=1;} 4",
                          "h histogram h_count{} 4", "st stateset st{st=on;} 1"));
  EXPECT_EQ(batch.families()[0].help, "Jobs done.");
}

TEST(ExpositionParserTest, ReadsQuotedNames) {
  EXPECT_THAT(Rows(Parse("{\"my.metric\",\"a.b\"=\"c\"} 1\n{\"other\"} 2\n")),
              ElementsAre("my.metric untyped my.metric{a.b=c;} 1", "other untyped other{} 2"));
}

TEST(ExpositionParserTest, DropsTimesOnRequest) {
  EXPECT_THAT(Rows(Parse("a 1 5\n", {.honor_timestamps = false})), ElementsAre("a untyped a{} 1"));
}

TEST(ExpositionParserTest, NamesTheLineOfAnError) {
  const std::pair<const char*, const char*> cases[] = {
      {"a 1\nb{x=\"1\" 2\n", "line 2: expected , or }"},
      {"a 1\n\n<html>\n", "line 3: expected a metric name, not \"<html>\""},
      {"a\n", "line 1: the sample has no value"},
      {"a one\n", "line 1: value \"one\" is not a number"},
      {"a 1 soon\n", "line 1: time \"soon\""},
      {"a 1 2 3\n", "line 1: unexpected \"3\" after the sample"},
      {"a{x=1} 1\n", "line 1: expected a quoted value of label \"x\""},
      {"a{x=\"1} 1\n", "line 1: a quoted text is not closed"},
      {"a{x=\"1\\", "line 1: a quoted text is not closed"},
      {"a{", "line 1: the labels are not closed"},
      {"a{x=\"1\",x=\"2\"} 1\n", "line 1: label \"x\" stands twice"},
      {"a{1x=\"1\"} 1\n", "line 1: expected a label name"},
      {"a{__name__=\"b\"} 1\n", "is not allowed"},
      {"# TYPE a thing\n", "line 1: unknown metric type \"thing\""},
      {"{x=\"1\"} 1\n", "a sample without a name"},
      {"# TYPE\n", "TYPE without a name"},
  };
  for (const auto& [page, message] : cases) EXPECT_THAT(ErrorOf(page), HasSubstr(message)) << page;
  EXPECT_THAT(ErrorOf("a 1\n", kOpenMetrics),
              HasSubstr("line 2: the page does not end with # EOF"));
  EXPECT_THAT(ErrorOf("# EOF\na 1\n", kOpenMetrics), HasSubstr("line 2: something follows # EOF"));
  EXPECT_THAT(ErrorOf("\n# EOF\n", kOpenMetrics), HasSubstr("line 1: empty line"));
  EXPECT_THAT(ErrorOf("a 1 1e300\n# EOF\n", kOpenMetrics), HasSubstr("not a number of seconds"));
}

TEST(ExpositionParserTest, StopsAtEachLimit) {
  EXPECT_EQ(ErrorOf("a 1\nb 2\n", {.sample_limit = 2}), "no error");
  EXPECT_EQ(ErrorOf("a 1\nb 2\n", {.sample_limit = 1}), "line 2: more than 1 samples");
  const auto page_of = [](std::size_t bytes) {
    return "a{x=\"" + std::string(bytes, 'v') + "\"} 1\n";
  };
  const std::size_t most = model::MetricBatch::kMaxLabelValueBytes;
  EXPECT_EQ(ErrorOf(page_of(most), {.refuses_long_values = true}), "no error");
  EXPECT_EQ(ErrorOf(page_of(most + 1), {.refuses_long_values = true}),
            "line 1: more than " + std::to_string(most) + " bytes in a label value");
  EXPECT_EQ(ErrorOf(page_of(most + 1), {}), "no error");
}

// Each is compared with those before it: a line of millions would hold up all other pages.
TEST(ExpositionParserTest, ALineOfLabelsWithoutEndEndsInAnError) {
  const auto page_of = [](std::size_t labels) {
    std::string page = "a{";
    for (std::size_t i = 0; i < labels; ++i) page += "l" + std::to_string(i) + "=\"\",";
    return page + "} 1\n";
  };
  EXPECT_EQ(ErrorOf(page_of(kMaxLabelsPerSample), {}), "no error");
  EXPECT_EQ(ErrorOf(page_of(1'000'000), {}),
            "line 1: more than " + std::to_string(kMaxLabelsPerSample) + " labels");
}

// Real pages of the packaged exporters: what is read, written and read again is the same.
TEST(ExpositionTest, RealPagesSurviveReadingAndWriting) {
  for (const char* name :
       {"node_exporter.prom", "redis_exporter.prom", "blackbox_probe_http.prom"}) {
    const std::string page = ReadPage(name);
    ASSERT_FALSE(page.empty()) << name;
    const MetricBatch first = Parse(page);
    std::string written;
    AppendText(first, {}, written);
    const MetricBatch second = Parse(written);
    EXPECT_EQ(Rows(first), Rows(second)) << name;
    for (const auto& family : first.families()) EXPECT_FALSE(family.help.empty()) << family.name;
  }
}

TEST(ExpositionTest, AnyBytesAreReadOrRefusedButNeverCrash) {
  const std::string page = ReadPage("blackbox_probe_http.prom") + "# EOF\n";
  std::uint64_t state = 7;
  const auto next = [&] {
    return state = state * 6364136223846793005ULL + 1442695040888963407ULL, state >> 33;
  };
  for (int round = 0; round < 3000; ++round) {
    std::string broken = page.substr(0, next() % page.size() + 1);
    for (int i = 0; i < 4; ++i)
      broken[next() % broken.size()] = "{}\"\\\n\r #,=0N\x80\xff\t"[next() % 16];
    MetricBatch batch;
    (void)ParseExposition(broken, round % 2 == 0 ? ParseOptions{} : kOpenMetrics, batch);
    std::string out;
    AppendText(batch, {}, out);
  }
}

}  // namespace
}  // namespace tocsin::formats
