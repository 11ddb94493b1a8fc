#include <gtest/gtest.h>

#include "collectors/pgbouncer/pgbouncer.h"

namespace tocsin::collectors::pgbouncer {
namespace {

class ParsePgbouncerTargetTest : public ::testing::Test {
 protected:
  ParsedTarget Parse(std::string_view yaml) {
    ConfigReader reader(ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors_),
                        errors_);
    ParsedTarget target = ParsePgbouncerTarget(reader, files_);
    reader.Finish();
    return target;
  }

  PosixFileSystem files_;
  ConfigErrors errors_;
};

TEST_F(ParsePgbouncerTargetTest, KeywordsAndUrisAreRead) {
  auto words = Parse("{dsn: 'host=db1 port=6433 user=stats password=hunter2'}");
  EXPECT_EQ(words.instance, "db1:6433");
  EXPECT_EQ(words.address, "db1:6433/pgbouncer");
  auto uri = Parse("{dsn: 'postgresql://stats:hunter2@[::1]/pgbouncer'}");
  EXPECT_EQ(uri.instance, "[::1]:6432");
  auto local = Parse("{dsn: 'user=stats'}");
  EXPECT_EQ(local.instance, "/var/run/postgresql:6432");
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
}

TEST_F(ParsePgbouncerTargetTest, NamesAreThoseOfAnExportersVersion) {
  for (const char* names : {"'0.12'", "'0.10'", "all"}) {
    Parse(std::string("{dsn: 'host=h', names: ") + names + "}");
  }
  EXPECT_TRUE(errors_.empty()) << errors_.Text();
  Parse("{dsn: 'host=h', names: '0.11'}");
  ASSERT_EQ(errors_.errors().size(), 1U) << errors_.Text();
  EXPECT_NE(errors_.Text().find("0.10"), std::string::npos) << errors_.Text();
}

TEST_F(ParsePgbouncerTargetTest, WrongOnesAreSaidWithoutQuotingThem) {
  Parse("{dsn: 'host=h hunter2'}");
  Parse("{dsn: 'host=a,b password=hunter2'}");
  Parse("{dsn: 'host=h port=0 password=hunter2'}");
  Parse("{dsn: 'host=h options=-chunter2'}");
  Parse("{}");
  Parse("{dsn: 'host=h', pasword: hunter2}");
  EXPECT_EQ(errors_.errors().size(), 6U) << errors_.Text();
  EXPECT_EQ(errors_.Text().find("hunter2"), std::string::npos) << errors_.Text();
  EXPECT_NE(errors_.Text().find("did you mean \"password\"?"), std::string::npos);
}

}  // namespace
}  // namespace tocsin::collectors::pgbouncer
