// The exporters' own paths: a Prometheus that scraped blackbox_exporter, redis_exporter or
// postgres_exporter for several targets is pointed at Tocsin's port and goes on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/daemon_process.h"
#include "tests/support/http_server.h"
#include "tests/support/redis_server.h"

namespace tocsin::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ExporterPathsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto redis = RedisServer::Start();
    ASSERT_TRUE(redis.ok()) << redis.error().message;
    redis_ = *std::move(redis);
    const std::string dsn = "host=127.0.0.1 user=u port=" + std::to_string(nobody_) + " dbname=";
    auto daemon = DaemonProcess::Start(
        "interval: 500ms\nredis: [ { name: cache, url: '" + redis_->Url() + "' } ]\nhttp:\n" +
        "  - { name: shop, url: '" + server_.Url("/health") + "' }\n" + "  - { name: sick, url: '" +
        server_.Url("/sick") + "' }\ntcp:\n" + "  - { name: port, url: 'tcp://127.0.0.1:" +
        std::to_string(redis_->port()) + "' }\n" + "postgres:\n  - { name: db, dsn: '" + dsn +
        "shop' }\n" + "  - { name: other, instance: second, dsn: '" + dsn + "other' }\n");
    ASSERT_TRUE(daemon.ok()) << daemon.error().message;
    daemon_ = *std::move(daemon);
    for (const char* target : {"cache", "shop", "sick", "port"}) {
      ASSERT_TRUE(daemon_->WaitForHealth(target, "up")) << target;
    }
    for (const char* target : {"db", "other"}) {
      ASSERT_TRUE(daemon_->WaitForHealth(target, "down")) << target;
    }
  }

  HttpResponse Ask(const std::string& path, const std::string& target) {
    return daemon_->Get(path + "target=" + PercentEncode(target));
  }

  std::string At(int port) const { return "127.0.0.1:" + std::to_string(port); }

  const int nobody_ = FreePort();
  HttpServer server_{[](const ServedRequest& request) -> ServedAnswer {
    return {.status = request.target == "/health" ? 200 : 503};
  }};
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(ExporterPathsTest, RedisIsScrapedByWhateverNameTheExporterKnewIt) {
  const std::string port = std::to_string(redis_->port());
  for (const std::string& target :
       {redis_->Url(), At(redis_->port()), "localhost:" + port, std::string("cache"),
        "redis://ann:s/cr@t@localhost:" + port + "/0", std::string("redis/cache")}) {
    const HttpResponse page = Ask("/scrape?", target);
    ASSERT_EQ(page.status, 200) << target << "\n" << page.body;
    EXPECT_THAT(page.body, AllOf(HasSubstr("\nredis_up 1\n"), HasSubstr("\nredis_db_keys{db="),
                                 HasSubstr("\nredis_exporter_build_info{version=\"")));
    // As an exporter's page: job, instance and up are the scraper's to write.
    EXPECT_THAT(page.body, AllOf(Not(HasSubstr("instance=\"")), Not(HasSubstr("\nup "))));
  }
}

TEST_F(ExporterPathsTest, AProbeIsTheTargetOfItsUrl) {
  const std::string url = server_.Url("/health");
  for (const std::string& target : {url, url.substr(std::string("http://").size())}) {
    const HttpResponse page = Ask("/probe?module=http_2xx&", target);
    ASSERT_EQ(page.status, 200) << target << "\n" << page.body;
    EXPECT_THAT(page.body, AllOf(HasSubstr("\nprobe_success 1\n"),
                                 HasSubstr("\nprobe_http_status_code 200\n")));
  }
  EXPECT_THAT(Ask("/probe?", server_.Url("/sick")).body, HasSubstr("\nprobe_success 0\n"));
  EXPECT_EQ(Ask("/probe?", server_.Url("/elsewhere")).status, 404);
  EXPECT_THAT(Ask("/probe?module=tcp_connect&", At(redis_->port())).body,
              AllOf(HasSubstr("\nprobe_success 1\n"), HasSubstr("probe_failed_due_to_bytes")));
}

TEST_F(ExporterPathsTest, PostgresIsProbedByServerAndDatabase) {
  const std::string at = At(nobody_);
  for (const std::string& target :
       {at + "/shop", "postgresql://u:secret@" + at + "/shop?sslmode=disable",
        "host=127.0.0.1 password=secret dbname=shop port=" + std::to_string(nobody_),
        std::string("second")}) {
    const HttpResponse page = Ask("/probe?auth_module=main&", target);
    ASSERT_EQ(page.status, 200) << target << "\n" << page.body;
    // Of a server that is down there is what the exporter says then.
    EXPECT_THAT(page.body, AllOf(HasSubstr("\npg_up 0\n"),
                                 HasSubstr("\npostgres_exporter_build_info{version=\"")));
  }
  const HttpResponse several =
      Ask("/probe?auth_module=main&", "localhost:" + std::to_string(nobody_));
  EXPECT_EQ(several.status, 400);
  EXPECT_THAT(several.body, HasSubstr("ask for one of:\npostgres/db\npostgres/other"));
}

TEST_F(ExporterPathsTest, OnlyWhatIsConfiguredAnswers) {
  const HttpResponse unknown = Ask("/scrape?", "redis://ann:secret@elsewhere:6379");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, AllOf(HasSubstr("only what the configuration names is collected"),
                                  HasSubstr("(sections redis)"), Not(HasSubstr("secret"))));
  EXPECT_EQ(Ask("/scrape?", "shop").status, 404);
  EXPECT_EQ(daemon_->Get("/probe").status, 400);
  EXPECT_EQ(daemon_->Get("/scrape?target=").status, 400);
}

}  // namespace
}  // namespace tocsin::testing
