#include "collectors/postgres/postgres_config.h"

#include <gtest/gtest.h>

#include "collectors/postgres/dialer.h"
#include "collectors/postgres/postgres.h"
#include "collectors/postgres/settings.h"

namespace tocsin::collectors::postgres {
namespace {

class PostgresConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"PGHOST", "PGPORT", "PGHOSTADDR"}) unsetenv(name);
  }

  std::string Instance(const std::string& dsn) {
    const auto parsed = ParseDsn(dsn);
    return parsed.ok() ? InstanceOf(parsed->servers) : "error: " + parsed.error().message;
  }

  PostgresOptions Parse(const std::string& yaml) {
    ConfigErrors errors;
    ConfigReader reader(
        ConfigNode::Parse(yaml, "tocsin.yaml", ConfigNode::Expand::kNothing, errors), errors);
    PostgresOptions options = ParsePostgresOptions(reader, files_);
    reader.Finish();
    errors_ = errors.Text();
    return options;
  }

  PosixFileSystem files_;
  std::string errors_;
};

TEST_F(PostgresConfigTest, InstanceIsHostAndPortAsTheExportersUsersKnowIt) {
  EXPECT_EQ(Instance("host=db1 user=x"), "db1:5432");
  EXPECT_EQ(Instance("host=db1 port=6543"), "db1:6543");
  EXPECT_EQ(Instance("postgresql://u:p@db1:7/shop?sslmode=require"), "db1:7");
  EXPECT_EQ(Instance("host=/tmp/x"), "/tmp/x:5432");
  EXPECT_EQ(Instance(""), "/var/run/postgresql:5432");
  EXPECT_EQ(Instance("host=::1"), "[::1]:5432");
  EXPECT_EQ(Instance("hostaddr=10.0.0.1"), "10.0.0.1:5432");
  EXPECT_EQ(Instance("host=a,b port=1,2"), "a:1,b:2");
  EXPECT_EQ(Instance("host=a,b"), "a:5432,b:5432");
}

TEST_F(PostgresConfigTest, ThePasswordIsTakenOutAndNeverQuoted) {
  const auto parsed = ParseDsn("host=db1 user=x password='hunter 2' dbname=shop");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->password.Reveal(), "hunter 2");
  for (const auto& [name, value] : parsed->connection) EXPECT_NE(name, "password") << value;
  for (const char* bad :
       {"host=db1 password=hun ter2", "postgresql://u:hunter2@db1:xx/", "host=a,b,c port=1,2",
        "service=hunter2", "host=x port=99999", "hunter2"}) {
    const auto error = ParseDsn(bad);
    ASSERT_FALSE(error.ok()) << bad;
    EXPECT_EQ(error.error().message.find("hun"), std::string::npos) << error.error().message;
    EXPECT_EQ(error.error().message.find("ter2"), std::string::npos) << error.error().message;
  }
}

TEST_F(PostgresConfigTest, KeysAreReadAndMistakesNamed) {
  const auto options = Parse(
      "dsn: host=db1 user=x password=a\n"
      "password: b\n"
      "databases: { include: [\"shop.*\"], exclude: [\".*_old\"], limit: 7 }\n"
      "collectors: { locks: off, stat_statements: { limit: 5 }, user_tables: { limit: 9 } }\n"
      "names: \"0.11\"\n"
      "log: { path: /var/log/pg.csv }\n");
  EXPECT_EQ(errors_, "");
  EXPECT_EQ(options.password.Reveal(), "b");
  EXPECT_TRUE(options.databases.Allows("shop_de"));
  EXPECT_FALSE(options.databases.Allows("shop_old"));
  EXPECT_FALSE(options.databases.Allows("my_shop"));
  EXPECT_EQ(options.database_limit, 7);
  EXPECT_FALSE(options.switched.at("locks"));
  EXPECT_TRUE(options.switched.at("stat_user_tables"));
  EXPECT_EQ(options.statement_limit, 5);
  EXPECT_EQ(options.table_limit, 9);
  EXPECT_EQ(options.names, Names::k011);
  EXPECT_EQ(options.log.path, "/var/log/pg.csv");

  Parse(
      "dsn: host=db1\n"
      "databases: { include: [\"(\"] }\n"
      "collectors: { lock: on }\n"
      "names: \"0.12\"\n"
      "log: { path: logs/pg.log }\n"
      "queries: { name: q }\n");
  EXPECT_NE(errors_.find("tocsin.yaml:2"), std::string::npos) << errors_;
  EXPECT_NE(errors_.find("did you mean \"locks\"?"), std::string::npos) << errors_;
  EXPECT_NE(errors_.find("tocsin.yaml:4"), std::string::npos) << errors_;
  EXPECT_NE(errors_.find("tocsin.yaml:5"), std::string::npos) << errors_;
  EXPECT_NE(errors_.find("tocsin.yaml:6"), std::string::npos) << errors_;
}

TEST_F(PostgresConfigTest, QueriesLeaveNamesAndLabelsThatAreTaken) {
  const auto errors = [&](const std::string& keys) {
    Parse("dsn: host=db1\n" + keys);
    return errors_;
  };
  for (const char* name : {"up", "pg_up", "scrape_duration_seconds", "tocsin_a"}) {
    EXPECT_NE(errors("queries: [{ name: q, sql: x, metrics: { a: { metric: " + std::string(name) +
                     " } } }]\n")
                  .find("keeps for itself"),
              std::string::npos)
        << name << ": " << errors_;
  }
  EXPECT_EQ(errors("queries: [{ name: q, sql: x, metrics: { a: { metric: uptime } } }]\n"), "");

  const std::string server =
      "queries: [{ name: q, sql: x, labels: [server], metrics: { a: gauge } }]\n";
  EXPECT_EQ(errors(server), "");
  EXPECT_NE(errors("names: \"0.11\"\n" + server).find("\"server\" is a label that every series"),
            std::string::npos)
      << errors_;
}

TEST_F(PostgresConfigTest, TheTargetNamesItselfWithoutCredentials) {
  ConfigErrors errors;
  ConfigReader reader(ConfigNode::Parse("dsn: \"postgresql://u:hunter2@db1/shop\"\n", "tocsin.yaml",
                                        ConfigNode::Expand::kNothing, errors),
                      errors);
  const auto target = ParsePostgresTarget(reader, files_);
  EXPECT_EQ(target.instance, "db1:5432");
  EXPECT_EQ(target.address, "db1:5432/shop");
}

TEST(SettingUnitTest, UnitsBecomeSecondsAndBytes) {
  const auto check = [](std::string_view unit, double factor, std::string_view base) {
    EXPECT_DOUBLE_EQ(ParseSettingUnit(unit).factor, factor) << unit;
    EXPECT_EQ(ParseSettingUnit(unit).base, base) << unit;
  };
  check("ms", 0.001, "seconds");
  check("s", 1, "seconds");
  check("min", 60, "seconds");
  check("B", 1, "bytes");
  check("kB", 1024, "bytes");
  check("8kB", 8192, "bytes");
  check("16MB", 16.0 * 1024 * 1024, "bytes");
  check("", 1, "");
  check("furlongs", 1, "");
  EXPECT_EQ(ParseSetting("on", "bool"), 1);
  EXPECT_EQ(ParseSetting("off", "bool"), 0);
  EXPECT_EQ(ParseSetting("-1", "integer"), -1);
  EXPECT_EQ(ParseSetting("0.5", "real"), 0.5);
  EXPECT_FALSE(ParseSetting("half", "real").has_value());
}

TEST(ConnectErrorTest, TheStateDecidesTheKindAndIsNotShown) {
  const Error refused = ConnectError(
      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"x\"\nLOCATION:  auth_failed, auth.c:326\n");
  EXPECT_EQ(refused.code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(refused.message,
            "connection to server at \"127.0.0.1\", port 5432 failed: FATAL: password "
            "authentication failed for user \"x\"");
  EXPECT_EQ(ConnectError("").code, ErrorCode::kUnavailable);
  EXPECT_EQ(ConnectError("x failed: FATAL:  57P03: the database system is starting up").code,
            ErrorCode::kUnavailable);
  EXPECT_EQ(ConnectError("received invalid response to SSL negotiation: H").code,
            ErrorCode::kCorruption);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
