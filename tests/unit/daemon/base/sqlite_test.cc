#include "daemon/base/sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tocsin {
namespace {

using ::testing::HasSubstr;

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "sqlite_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/a.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Database> MustOpen() {
    auto opened = Database::Open({.path = path_});
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }

  std::string folder_;
  std::string path_;
};

void MustExecute(Database& database, const std::string& sql) {
  const auto result = database.Execute(sql);
  ASSERT_TRUE(result.ok()) << sql << ": " << result.error().message;
}

std::int64_t Count(Database& database, const std::string& table) {
  auto count = database.Prepare("SELECT count(*) FROM " + table);
  EXPECT_TRUE(count.ok() && count->Step().ok());
  return count->Int(0);
}

TEST_F(SqliteTest, EveryKindOfValueReadsBackTheSame) {
  auto database = MustOpen();
  MustExecute(*database, "CREATE TABLE t(i, d, s, b, n)");
  const std::string bytes("\0x\xff\0", 4);
  auto insert = database->Prepare("INSERT INTO t VALUES(?,?,?,?,?)");
  ASSERT_TRUE(insert.ok());
  insert->Bind(1, std::int64_t{-9'000'000'000'000'000'000});
  insert->Bind(2, 0.1).BindText(3, "naïve").BindBlob(4, bytes).BindNull(5);
  ASSERT_TRUE(insert->Run().ok());
  ASSERT_TRUE(insert->BindBlob(4, {}).Run().ok());
  EXPECT_EQ(database->LastInsertRowId(), 2);
  EXPECT_EQ(database->ChangedRows(), 1);

  auto select = database->Prepare("SELECT i, d, s, b, n FROM t ORDER BY rowid");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int(0), -9'000'000'000'000'000'000);
  EXPECT_EQ(select->Double(1), 0.1);
  EXPECT_EQ(select->Text(2), "naïve");
  EXPECT_EQ(select->Blob(3), bytes);
  EXPECT_TRUE(select->IsNull(4));
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Blob(3), "");
  EXPECT_FALSE(select->IsNull(3)) << "an empty blob is not NULL";
  EXPECT_FALSE(*select->Step());
  EXPECT_FALSE(*select->Step()) << "a finished statement does not start over by itself";
}

TEST_F(SqliteTest, FileIsPrivateToItsOwner) {
  auto database = MustOpen();
  MustExecute(*database, "CREATE TABLE t(x)");
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_F(SqliteTest, TransactionThatIsNotCommittedLeavesNothing) {
  auto database = MustOpen();
  MustExecute(*database, "CREATE TABLE t(x)");
  {
    auto transaction = Transaction::Begin(*database);
    ASSERT_TRUE(transaction.ok());
    MustExecute(*database, "INSERT INTO t VALUES(1)");
  }
  EXPECT_EQ(Count(*database, "t"), 0);
  auto transaction = Transaction::Begin(*database);
  ASSERT_TRUE(transaction.ok());
  MustExecute(*database, "INSERT INTO t VALUES(1)");
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(Count(*database, "t"), 1);
}

TEST_F(SqliteTest, SecondWriterIsToldTheFileIsBusy) {
  auto first = MustOpen();
  MustExecute(*first, "CREATE TABLE t(x)");
  auto second = Database::Open({.path = path_, .busy_timeout_ms = 1});
  ASSERT_TRUE(second.ok());
  auto transaction = Transaction::Begin(*first);
  ASSERT_TRUE(transaction.ok());
  auto refused = Transaction::Begin(**second);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST_F(SqliteTest, FileThatIsNoDatabaseIsCorruptionAndStaysAsItWas) {
  const std::string content(8192, 'x');
  std::ofstream(path_) << content;
  const auto opened = Database::Open({.path = path_});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(opened.error().message, HasSubstr(path_));
  std::ifstream file(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), content);
}

TEST_F(SqliteTest, DamagedPageIsFoundByTheQuickCheck) {
  {
    auto database = MustOpen();
    MustExecute(*database,
                "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
                "WHERE i < 500) INSERT INTO t SELECT randomblob(100) FROM n");
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 4);
  file << std::string(4096, '\x55');
  file.close();
  const auto opened = Database::Open({.path = path_});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
}

TEST_F(SqliteTest, MissingFolderIsAnIoErrorThatNamesThePath) {
  const auto opened = Database::Open({.path = folder_ + "/none/a.db"});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kIoError);
  EXPECT_THAT(opened.error().message, HasSubstr("/none/a.db"));
}

TEST_F(SqliteTest, WrongStatementsAndBindingsAreErrors) {
  auto database = MustOpen();
  EXPECT_EQ(database->Prepare("SELEKT").error().code, ErrorCode::kInternal);
  MustExecute(*database, "CREATE TABLE t(x INTEGER PRIMARY KEY)");
  auto insert = database->Prepare("INSERT INTO t VALUES(?)");
  ASSERT_TRUE(insert.ok());
  EXPECT_EQ(insert->Bind(2, std::int64_t{1}).Run().error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(insert->Bind(1, std::int64_t{1}).Run().ok());
  EXPECT_EQ(insert->Run().error().code, ErrorCode::kInvalidArgument) << "the key is taken";
  ASSERT_TRUE(insert->Bind(1, std::int64_t{2}).Run().ok()) << "a failed run does not stick";
}

TEST_F(SqliteTest, MemoryDatabaseNeedsNoFile) {
  const auto opened = Database::Open({.path = ":memory:"});
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  MustExecute(**opened, "CREATE TABLE t(x)");
  EXPECT_FALSE(std::filesystem::exists(":memory:"));
}

}  // namespace
}  // namespace tocsin
