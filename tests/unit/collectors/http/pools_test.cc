#include <algorithm>
#include <cmath>

#include "tests/unit/collectors/http/http_kind_fixture.h"

namespace tocsin::collectors::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

struct PoolCase {
  const char* flavour;
  const char* json;
  double in_use;
  double capacity;
};

class PoolFlavourTest : public HttpKindTest, public ::testing::WithParamInterface<PoolCase> {};

TEST_P(PoolFlavourTest, ComesDownToInUseAndCapacity) {
  Load(std::string("{ name: shop, url: http://h/, extract: [ { pool: ") + GetParam().flavour +
       ", json: /pool } ] }");
  ASSERT_TRUE(errors_.empty()) << errors_.Text();
  const Page page = Probe(Answer(200, std::string("{\"pool\": ") + GetParam().json + "}"));
  EXPECT_EQ(page.at("app_pool_in_use{pool=\"shop\"}"), GetParam().in_use);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"shop\"}"), GetParam().capacity);
}

INSTANTIATE_TEST_SUITE_P(
    Flavours, PoolFlavourTest,
    ::testing::Values(
        PoolCase{"sqlalchemy",
                 R"({"size":20,"checked_out":15,"checked_in":2,"overflow":-3,"max_overflow":40})",
                 15, 60},
        PoolCase{"sqlalchemy", R"({"pool_size":20,"checkedin":1,"overflow":5,"max_overflow":40})",
                 24, 60},
        PoolCase{"sqlalchemy", R"({"size":5,"checkedout":1,"max_overflow":-1})", 1, INFINITY},
        PoolCase{
            "sqlalchemy",
            R"("Pool size: 5  Connections in pool: 1 Current Overflow: -4 Current Checked out connections: 3")",
            3, 15},
        PoolCase{"hikaricp", R"({"active":7,"idle":3,"pending":2,"max":10})", 7, 10},
        PoolCase{"hikaricp", R"({"activeConnections":7,"totalConnections":9,"maximumPoolSize":12})",
                 7, 12},
        PoolCase{"hikaricp", R"({"active":7,"total":9})", 7, 9},
        PoolCase{
            "go_sql",
            R"({"MaxOpenConnections":50,"OpenConnections":9,"InUse":4,"Idle":5,"WaitCount":3,"WaitDuration":1500000000})",
            4, 50},
        PoolCase{"go_sql", R"({"max_open":0,"in_use":4})", 4, INFINITY},
        PoolCase{"generic", R"({"in_use":4,"capacity":8})", 4, 8},
        PoolCase{"generic", R"({"used":4,"free":6})", 4, 10},
        PoolCase{"generic", R"({"in_use":0,"capacity":0})", 0, 1}));

TEST_F(HttpKindTest, SqlAlchemysOverflowMayBeNegativeAndItsCapacityConfigured) {
  Load(
      "{ name: shop, url: http://h/, extract: [ { pool: sqlalchemy, json: '', max_overflow: 40 } ] "
      "}");
  const Page page =
      Probe(Answer(200, R"({"size":20,"checked_out":3,"checked_in":2,"overflow":-15})"));
  EXPECT_EQ(page.at("app_pool_overflow{pool=\"shop\"}"), -15);
  EXPECT_EQ(page.at("app_pool_size{pool=\"shop\"}"), 20);
  EXPECT_EQ(page.at("app_pool_idle{pool=\"shop\"}"), 2);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"shop\"}"), 60);
  EXPECT_EQ(page.at("tocsin_pool_capacity_assumed{pool=\"shop\"}"), 0);
}

TEST_F(HttpKindTest, WorkersBehindOneAddressAreKeptApartByPid) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: /pools } ] }");
  const auto worker = [](int pid, int in_use) {
    return Answer(200, R"({"pid":)" + std::to_string(pid) + R"(,"pools":{"main":{"in_use":)" +
                           std::to_string(in_use) + R"(,"capacity":10}}})");
  };
  Probe(worker(11, 3));
  clock_.Advance(std::chrono::minutes(1));
  Page page = Probe(worker(12, 5));
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"11\", pool=\"main\"}"), 3);
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"12\", pool=\"main\"}"), 5);
  clock_.Advance(std::chrono::minutes(5));
  page = Probe(worker(12, 6));
  EXPECT_THAT(page, Not(Contains(Key(HasSubstr("pid=\"11\"")))));
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"12\", pool=\"main\"}"), 6);
}

TEST_F(HttpKindTest, AHangingHealthPageCountsAsAnExhaustedPool) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: '' } ] }");
  const HttpExchange hang = Broken(ErrorCode::kDeadlineExceeded, HttpStage::kProcessing);
  Page page = Probe(Answer(200, R"({"in_use":4,"capacity":8,"idle":4})"));
  EXPECT_EQ(page.at("tocsin_pool_saturation_assumed{pool=\"shop\"}"), 0);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(std::chrono::minutes(10));
    page = Probe(hang);
    EXPECT_EQ(page.at("app_pool_in_use{pool=\"shop\"}"), 8);
    EXPECT_EQ(page.at("app_pool_idle{pool=\"shop\"}"), 0);
    EXPECT_EQ(page.at("tocsin_pool_saturation_assumed{pool=\"shop\"}"), 1);
  }
  EXPECT_EQ(Probe(Answer(200, R"({"in_use":1,"capacity":8})")).at("app_pool_in_use{pool=\"shop\"}"),
            1);
}

// Else an application that restarts, or a proxy's error page, would resolve the alert
// about its pool.
TEST_F(HttpKindTest, AFailureThatSaysNothingOfThePoolLeavesItAsItWasForFiveMinutes) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: '' } ] }");
  Probe(Answer(200, R"({"in_use":7,"capacity":8})"));
  for (const HttpExchange& failure : {Broken(ErrorCode::kUnavailable, HttpStage::kConnect),
                                      Answer(503, "<html>Service Unavailable</html>")}) {
    clock_.Advance(std::chrono::minutes(2));
    EXPECT_EQ(Probe(failure).at("app_pool_in_use{pool=\"shop\"}"), 7);
  }
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_THAT(Probe(Broken(ErrorCode::kUnavailable, HttpStage::kConnect)),
              Not(Contains(Key(HasSubstr("app_pool")))));
}

// Else a daemon that is started while the pool is exhausted would resolve the alert.
TEST_F(HttpKindTest, APageThatNeverAnsweredCountsAsAnExhaustedPoolToo) {
  Load(
      "{ name: shop, url: http://h/, extract: [ { pool: sqlalchemy, json: /pool }, "
      "{ pool: generic, json: /jobs, name: jobs, capacity: 20 } ] }");
  const HttpExchange hang = Broken(ErrorCode::kDeadlineExceeded, HttpStage::kProcessing);
  Page page = Probe(hang);
  EXPECT_EQ(page.at("app_pool_in_use{pool=\"shop\"}"), 1);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"shop\"}"), 1);
  EXPECT_EQ(page.at("tocsin_pool_capacity_assumed{pool=\"shop\"}"), 1);
  EXPECT_EQ(page.at("tocsin_pool_saturation_assumed{pool=\"shop\"}"), 1);
  EXPECT_EQ(page.at("app_pool_in_use{pool=\"jobs\"}"), 20);
  EXPECT_EQ(page.at("app_pool_capacity{pool=\"jobs\"}"), 20);
  // What is known at last takes the place of what was assumed.
  clock_.Advance(std::chrono::seconds(15));
  page = Probe(Answer(200, R"({"pid":7,"pool":{"size":5,"checked_out":2,"max_overflow":5}})"));
  EXPECT_EQ(page.at("app_pool_in_use{pid=\"7\", pool=\"shop\"}"), 2);
  EXPECT_THAT(page, Not(Contains(Key("app_pool_in_use{pool=\"shop\"}"))));
  EXPECT_THAT(page, Not(Contains(Key(HasSubstr("pool=\"jobs\"")))));
}

TEST_F(HttpKindTest, APoolMayHaveAnyName) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: /pools } ] }");
  const Page page =
      Probe(Answer(200,
                   "{\"pools\":{\"a\\\"b\\n\\\\c\":{\"in_use\":1,\"capacity\":2},"
                   "\"\\u0000\":{\"in_use\":3,\"capacity\":4},"
                   "\"" +
                       std::string(5000, 'x') + "\":{\"in_use\":5,\"capacity\":6}}}"));
  EXPECT_EQ(page.at(R"(app_pool_in_use{pool="a\"b\n\\c"})"), 1);
  EXPECT_THAT(page,
              Contains(Pair("app_pool_in_use{pool=\"" +
                                std::string(model::MetricBatch::kMaxLabelValueBytes, 'x') + "\"}",
                            5)));
  // Bytes that are no UTF-8 are no JSON either.
  EXPECT_EQ(Probe(Answer(200, "{\"pools\":{\"\xff\":{\"in_use\":1,\"capacity\":2}}}"))
                .at("tocsin_probe_extraction_success{extract=\"pool shop\", json=\"/pools\"}"),
            0);
}

TEST_F(HttpKindTest, ManyNamesOfPoolsAreForgottenAndCounted) {
  Load("{ name: shop, url: http://h/, extract: [ { pool: generic, json: /pools } ] }");
  std::string pools;
  for (int i = 0; i < 300; ++i) {
    pools += (i == 0 ? "" : ",") + std::string("\"p") + std::to_string(i) +
             "\":{\"in_use\":1,\"capacity\":2}";
  }
  const Page page = Probe(Answer(200, "{\"pools\":{" + pools + "}}"));
  EXPECT_EQ(page.at("tocsin_pools_forgotten_total"), 44);
  EXPECT_EQ(std::count_if(page.begin(), page.end(),
                          [](const auto& one) { return one.first.starts_with("app_pool_in_use"); }),
            256);
}

}  // namespace
}  // namespace tocsin::collectors::http
