#include "collectors/postgres/log_record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tocsin::collectors::postgres {
namespace {

constexpr const char* kDebianPrefix = "%m [%p] %q%u@%d ";

// "pid user database severity message", one per record.
std::vector<std::string> Decode(LogDecoder& decoder, std::string_view text,
                                std::size_t piece = std::string::npos) {
  std::vector<std::string> records;
  for (std::size_t start = 0; start < text.size(); start += std::min(piece, text.size())) {
    decoder.Feed(text.substr(start, piece), [&](const LogRecord& record) {
      records.push_back(std::to_string(record.pid) + "|" + std::string(record.user) + "|" +
                        std::string(record.database) + "|" + std::string(record.severity) + "|" +
                        std::string(record.message));
    });
  }
  return records;
}

std::vector<std::string> DecodeText(const std::string& prefix, std::string_view text,
                                    std::size_t piece = std::string::npos) {
  auto decoder = MakeTextLogDecoder(prefix);
  EXPECT_TRUE(decoder.ok()) << decoder.error().message;
  return decoder.ok() ? Decode(**decoder, text, piece) : std::vector<std::string>();
}

using Lines = std::vector<std::string>;

TEST(LogMessageTest, DurationsAreToldApartByWhatFollows) {
  const auto kind = [](std::string_view message) { return ParseLogMessage("LOG", message).kind; };
  EXPECT_EQ(kind("duration: 0.123 ms"), LogEventKind::kDuration);
  EXPECT_EQ(kind("duration: 0.123 ms  statement: SELECT 1"), LogEventKind::kStatement);
  EXPECT_EQ(kind("duration: 0.123 ms  parse <unnamed>: SELECT $1"), LogEventKind::kParse);
  EXPECT_EQ(kind("duration: 0.123 ms  bind S_1: SELECT $1"), LogEventKind::kBind);
  EXPECT_EQ(kind("duration: 0.123 ms  execute S_1: SELECT $1"), LogEventKind::kExecute);
  EXPECT_EQ(kind("duration: 0.1 ms  execute fetch from S_1/C_2: SELECT"), LogEventKind::kExecute);
  EXPECT_EQ(kind("duration: 12 ms  plan:\nQuery Text: SELECT"), LogEventKind::kOther);
  EXPECT_EQ(kind("duration: 12 ms  fastpath function call: \"x\""), LogEventKind::kOther);
  EXPECT_EQ(kind("duration: many ms  statement: SELECT 1"), LogEventKind::kOther);
  EXPECT_EQ(kind("statement: SELECT 'duration: 1 ms'"), LogEventKind::kStatementBegins);
  EXPECT_EQ(kind("execute <unnamed>: SELECT $1"), LogEventKind::kExecuteBegins);
  EXPECT_EQ(kind("checkpoint starting: time"), LogEventKind::kOther);
  EXPECT_EQ(kind("00000: duration: 0.123 ms"), LogEventKind::kDuration);
  EXPECT_DOUBLE_EQ(ParseLogMessage("LOG", "duration: 1500.250 ms").seconds, 1.50025);
  EXPECT_EQ(ParseLogMessage("ERROR", "division by zero").kind, LogEventKind::kFailed);
  EXPECT_EQ(ParseLogMessage("WARNING", "duration: 1 ms").kind, LogEventKind::kOther);
}

TEST(TextLogTest, StatementsOfSeveralLinesAreOneRecord) {
  const std::string text =
      "2026-11-23 08:00:00.123 UTC [77] app@shop LOG:  duration: 1.5 ms  statement: SELECT 1\n"
      "\t, 'LOG:  duration: 99 ms'\n"
      "\tFROM t\n"
      "2026-11-23 08:00:01.001 UTC [12] LOG:  checkpoint starting: time\n"
      "2026-11-23 08:00:02.001 UTC [78] app@shop ERROR:  division by zero\n"
      "2026-11-23 08:00:02.001 UTC [78] app@shop STATEMENT:  SELECT 1/0\n";
  const Lines expected = {"77|app|shop|LOG|duration: 1.5 ms  statement: SELECT 1",
                          "78|app|shop|ERROR|division by zero"};
  EXPECT_EQ(DecodeText(kDebianPrefix, text), expected);
  for (const std::size_t piece : {1, 7, 64}) {
    EXPECT_EQ(DecodeText(kDebianPrefix, text, piece), expected) << "in pieces of " << piece;
  }
}

TEST(TextLogTest, AnyPrefixWithProcessUserAndDatabaseIsRead) {
  const Lines expected = {"4711|app|shop|LOG|duration: 1 ms"};
  const auto check = [&](const std::string& prefix, const std::string& written) {
    EXPECT_EQ(DecodeText(prefix, written + "LOG:  duration: 1 ms\n"), expected) << prefix;
  };
  check("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
        "2026-11-23 08:00:00 CET [4711]: [3-1] user=app,db=shop,app=my app,client=10.0.0.1 ");
  check("%u %d %r %p ", "app shop 10.0.0.1(5433) 4711 ");
  check("%u %d %r %p ", "app shop [local] 4711 ");
  check("%c %u@%d ", "6742ab12.1267 app@shop ");
  check("%n %p %e %v %x %i %u/%d: ", "1795412890.794 4711 00000 3/12 0 SELECT app/shop: ");
  check("[%-8p] [%10u] [%-6d] ", "[4711    ] [       app] [shop  ] ");
  check("100%% %s %p %Q %P %b %u@%d> ",
        "100% 2026-11-23 07:59:00 UTC 4711 -8711213 4700 client backend app@shop> ");
  check("(%u)*[%d]+%p? ", "(app)*[shop]+4711? ");
}

TEST(TextLogTest, APrefixThatLacksSomethingSaysWhat) {
  const auto why = [](const std::string& prefix) {
    const auto decoder = MakeTextLogDecoder(prefix);
    return decoder.ok() ? std::string("ok") : decoder.error().message;
  };
  EXPECT_EQ(why("%m [%p] "),
            "log_line_prefix = '%m [%p] ' lacks the user (%u), the database (%d): set "
            "log_line_prefix = '%m [%p] %q%u@%d ' and reload");
  EXPECT_NE(why("%u@%d ").find("lacks the process (%p)"), std::string::npos);
  EXPECT_EQ(why("%c %u@%d "), "ok");
  EXPECT_NE(why(""), "ok");
}

TEST(TextLogTest, ALineWithoutEndHoldsNoMoreMemoryThanItsBeginning) {
  auto decoder = MakeTextLogDecoder(kDebianPrefix);
  ASSERT_TRUE(decoder.ok());
  const std::string start =
      "2026-11-23 08:00:00.123 UTC [77] app@shop LOG:  duration: 1 ms  statement: SELECT '";
  EXPECT_TRUE(Decode(**decoder, start).empty());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Decode(**decoder, std::string(1 << 16, 'x')).empty());
  const auto records = Decode(**decoder, "'\n");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_LE(records[0].size(), LogDecoder::kMostRecordBytes);
  EXPECT_TRUE(records[0].starts_with("77|app|shop|LOG|duration: 1 ms  statement: SELECT 'xx"));
}

TEST(TextLogTest, HostileBytesAreSkipped) {
  std::string text = "\xff\xfe\0garbage LOG:  duration: 1 ms\n\n\n:  \nLOG:  \n";
  text += "9999-99-99 [x] LOG:  duration: 1 ms\n";
  EXPECT_TRUE(DecodeText(kDebianPrefix, text).empty());
}

std::string CsvLine(const std::string& message, const std::string& pid = "4711") {
  return "2026-11-23 08:00:00.123 UTC,\"app\",\"shop\"," + pid +
         ",\"127.0.0.1:5\",6742ab12.1267,3,\"SELECT\",2026-11-23 07:59:00 UTC,3/12,0,LOG,00000,\"" +
         message + "\",,,,,,,,,\"psql\",\"client backend\",,0\n";
}

TEST(CsvLogTest, QuotesCommasAndLineBreaksStayInTheirField) {
  const std::string text =
      CsvLine("duration: 1 ms  statement: SELECT 1,\n\"\"LOG\"\",'x'\nFROM t") + "not,a,record\n" +
      CsvLine("duration: 2 ms", "12");
  const Lines expected = {
      "4711|app|shop|LOG|duration: 1 ms  statement: SELECT 1,\n\"LOG\",'x'\nFROM t",
      "12|app|shop|LOG|duration: 2 ms"};
  for (const std::size_t piece : {std::string::npos, std::size_t{1}, std::size_t{5}}) {
    auto decoder = MakeCsvLogDecoder();
    EXPECT_EQ(Decode(*decoder, text, piece), expected);
  }
}

TEST(JsonLogTest, MembersAreReadByNameAndUnescaped) {
  const std::string text =
      R"({"timestamp":"2026-11-23 08:00:00.123 UTC","user":"app","dbname":"sh\"op","pid":4711,)"
      R"("session_id":"6742","error_severity":"LOG","message":"duration: 1 ms  statement: SELECT\n1",)"
      R"("application_name":"psql","query_id":0})"
      "\nnot json\n{\"pid\":1\n"
      R"({"pid":12,"error_severity":"LOG","message":"checkpoint starting: time"})"
      "\n";
  const Lines expected = {"4711|app|sh\"op|LOG|duration: 1 ms  statement: SELECT\n1",
                          "12|||LOG|checkpoint starting: time"};
  for (const std::size_t piece : {std::string::npos, std::size_t{1}, std::size_t{5}}) {
    auto decoder = MakeJsonLogDecoder();
    EXPECT_EQ(Decode(*decoder, text, piece), expected);
  }
}

TEST(JsonLogTest, ARecordBeyondTheLimitKeepsItsBeginning) {
  auto decoder = MakeJsonLogDecoder();
  const auto records = Decode(
      *decoder,
      R"({"user":"app","dbname":"shop","pid":5,"error_severity":"LOG","message":"duration: 1 ms  statement: )" +
          std::string(100'000, 'x') + "\"}\n");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_TRUE(records[0].starts_with("5|app|shop|LOG|duration: 1 ms  statement: xxx"));
}

}  // namespace
}  // namespace tocsin::collectors::postgres
