// Names of any bytes: line feeds, quotes, backslashes, and bytes that are not UTF-8, which a
// database in SQL_ASCII takes and its server sends nobody who asks for UTF-8; and names that
// databases in other encodings gave to what all of a server's share.

#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "tests/integration/postgres/collector_fixture.h"

namespace tocsin::testing {
namespace {

// As a page shows it, and as SQL and a connection string write it.
const std::string kHostile = "a\nb\"c\\d'e\xff";
constexpr const char* kShown = R"(a\nb\"c\\d'e)"
                               "\uFFFD";

std::string QuotedBy(char quote, const std::string& name) {
  std::string quoted(1, quote);
  for (const char c : name) {
    // SQL doubles its quotes, libpq takes a backslash before them.
    if (c == quote) quoted += quote == '"' ? '"' : '\\';
    if (c == '\\' && quote == '\'') quoted += '\\';
    quoted += c;
  }
  return quoted + quote;
}
std::string InSql(const std::string& name) { return QuotedBy('"', name); }
std::string InDsn(const std::string& name) { return QuotedBy('\'', name); }

std::string PageOf(const Collection& collection) {
  std::string page;
  formats::AppendText(*collection.batch, {}, page);
  return page;
}

class PostgresNamesTest : public PostgresServerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start());
    Execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
    Execute("CREATE DATABASE west ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  }

  void Execute(const std::string& sql, const std::string& database = "postgres") {
    const auto done = server_->Execute(sql, InDsn(database));
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  std::string In(const std::string& database, const std::string& more = {}) {
    return "dsn: host=127.0.0.1 port=" + std::to_string(server_->port()) +
           " user=postgres dbname=" + database + "\n" + more;
  }
};

TEST_F(PostgresNamesTest, OfAnyBytesAreShownOnThePageAndCostNobodyElseAnything) {
  Execute("CREATE DATABASE " + InSql(kHostile) + " TEMPLATE bytes", "bytes");
  Execute("CREATE ROLE " + InSql(kHostile) + " SUPERUSER LOGIN", "bytes");
  for (const std::string& database : {std::string("bytes"), kHostile}) {
    Execute("CREATE TABLE " + InSql(kHostile) + " (id int)", database);
  }
  const auto client = server_->Connect("user=" + InDsn(kHostile) + " dbname=" + InDsn(kHostile) +
                                       " application_name=" + InDsn(kHostile));
  ASSERT_TRUE(client.ok()) << client.error().message;
  // The server itself keeps line feeds and bytes beyond ASCII out of this one.
  const auto name = (*client)->Execute("SHOW application_name");
  ASSERT_TRUE(name.ok()) << name.error().message;
  std::string application;
  formats::AppendEscapedLabelValue(name->at(0).at(0), application);

  for (const char* own : {"bytes", "postgres"}) {
    PostgresTarget target(In(own, R"(queries: [{ name: raw, database: bytes, labels: [text],
        sql: "SELECT E'\\xff' AS text, 1 AS one", metrics: { one: gauge } }])"));
    ASSERT_EQ(target.errors(), "");
    const auto collection = target.Collect();
    ASSERT_TRUE(collection.outcome.ok()) << own << ": " << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0)
        << own << ": " << collection.Notes();
    const std::string page = PageOf(collection);
    const auto shows = [&](const std::string& line) {
      EXPECT_NE(page.find(line), std::string::npos) << own << " lacks " << line;
    };
    const std::string shown = kShown;
    shows("pg_database_size_bytes{datname=\"" + shown + "\"} ");
    shows("pg_roles_connection_limit{rolname=\"" + shown + "\"} ");
    for (const std::string& database : {std::string("bytes"), shown}) {
      shows("pg_stat_user_tables_n_tup_ins{datname=\"" + database +
            "\",schemaname=\"public\",relname=\"" + shown + "\"} ");
    }
    shows("pg_stat_activity_count{datname=\"" + shown + "\",state=\"idle\",usename=\"" + shown +
          "\",application_name=\"" + application + "\",");
    shows("raw_one{text=\"\uFFFD\"} 1");
    EXPECT_EQ(page.find('\xff'), std::string::npos);

    model::MetricBatch read;
    const auto parsed = formats::ParseExposition(page, {}, read);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  }
}

TEST_F(PostgresNamesTest, OtherEncodingsAreConvertedByTheServer) {
  const auto client = server_->Connect("dbname=west client_encoding=UTF8");
  ASSERT_TRUE(client.ok()) << client.error().message;
  ASSERT_TRUE((*client)->Execute("CREATE TABLE \"caf\u00e9\" (id int)").ok());
  for (const char* own : {"west", "bytes"}) {
    const auto collection = PostgresTarget(In(own)).Collect();
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_TRUE(
        collection.Value("pg_stat_user_tables_n_tup_ins", {{"relname", "caf\u00e9"}}).has_value())
        << own;
  }
}

class PostgresForeignNamesTest : public PostgresNamesTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(PostgresNamesTest::SetUp());
    Execute("CREATE ROLE " + InSql(kForeign) + " LOGIN", "bytes");
    Execute("CREATE DATABASE " + InSql(kForeign) + " TEMPLATE bytes", "bytes");
    Execute("CREATE DATABASE \"caf\u00e9\"");
    Execute("CREATE TABLE latte (id int)", "caf\u00e9");
  }

  // A database in that encoding, with a table and beside it a database that it named.
  void MakeOwn(const std::string& encoding, const std::string& name) {
    Execute("CREATE DATABASE own ENCODING '" + encoding + "' LOCALE 'C' TEMPLATE template0");
    const auto client = server_->Connect("dbname=own client_encoding=UTF8");
    ASSERT_TRUE(client.ok()) << client.error().message;
    for (const std::string& sql :
         {"CREATE TABLE " + InSql(name) + " (id int)", "CREATE DATABASE " + InSql(name)}) {
      const auto made = (*client)->Execute(sql);
      ASSERT_TRUE(made.ok()) << made.error().message;
    }
  }

  std::size_t Refusals() {
    std::size_t count = 0;
    const std::string log = server_->Output();
    for (const char* words : {"has no equivalent", "invalid byte sequence"}) {
      for (auto at = log.find(words); at != log.npos; at = log.find(words, at + 1)) ++count;
    }
    return count;
  }

  void ExpectAllToBeWatchedFrom(const std::string& encoding, const std::string& name) {
    ASSERT_NO_FATAL_FAILURE(MakeOwn(encoding, name));
    PostgresTarget target(In("own", R"(queries: [{ name: raw, labels: [rolname],
        sql: "SELECT rolname, 1 AS one FROM pg_roles", metrics: { one: gauge } }])"));
    ASSERT_EQ(target.errors(), "");
    constexpr int kDatabases = 7;
    Collection collection = target.Collect();
    const std::size_t refusals = Refusals();
    for (int i = 0; i < 10 && collection.Count("tocsin_postgres_database_up") < kDatabases; ++i) {
      collection = target.Collect();
    }
    ASSERT_TRUE(collection.outcome.ok()) << collection.outcome.error().message;
    EXPECT_EQ(collection.Value("pg_exporter_last_scrape_error"), 0) << collection.Notes();
    EXPECT_EQ(collection.Count("tocsin_postgres_database_up"), kDatabases);
    EXPECT_EQ(collection.Sum("tocsin_postgres_database_up"), kDatabases) << collection.Notes();
    for (const std::string& table : {name, std::string("latte")}) {
      EXPECT_TRUE(
          collection.Value("pg_stat_user_tables_n_tup_ins", {{"relname", table}}).has_value())
          << table;
    }
    EXPECT_TRUE(collection.Value("pg_database_size_bytes", {{"datname", name}}).has_value());
    const std::string page = PageOf(collection);
    EXPECT_EQ(ValidUtf8(page), page);
    for (const char* foreign : {"pg_roles_connection_limit{rolname=\"odd", "raw_one{rolname=\"odd",
                                "pg_database_size_bytes{datname=\"odd"}) {
      EXPECT_NE(page.find(foreign), page.npos) << foreign;
    }
    // The server is not brought to refuse again, and to log it, at every collection.
    EXPECT_TRUE(target.Collect().outcome.ok());
    EXPECT_EQ(Refusals(), refusals);
  }

  // No text in EUC_JP; in WIN1252 one that Unicode lacks.
  const std::string kForeign = "odd\x81\xff";
};

TEST_F(PostgresForeignNamesTest, AreReadInADatabaseInEucJp) {
  ExpectAllToBeWatchedFrom("EUC_JP", "\u65e5\u672c");
}

TEST_F(PostgresForeignNamesTest, AreReadInADatabaseInWin1252) {
  ExpectAllToBeWatchedFrom("WIN1252", "th\u00e9");
}

TEST_F(PostgresForeignNamesTest, AreReadInADatabaseInLatin1) {
  ExpectAllToBeWatchedFrom("LATIN1", "th\u00e9");
}

TEST_F(PostgresNamesTest, AnExpressionForDatabasesMatchesBytesThatAreNoUtf8) {
  Execute("CREATE DATABASE \"odd\xff\"", "bytes");
  PostgresTarget target(In("bytes", "databases: { include: [\".*\"] }\n"));
  EXPECT_TRUE(
      target.Collect().Value("pg_database_size_bytes", {{"datname", "odd\uFFFD"}}).has_value());
}

}  // namespace
}  // namespace tocsin::testing
