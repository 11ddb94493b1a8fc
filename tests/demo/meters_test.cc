// The demo's own reading of PostgreSQL's log.

#include <gtest/gtest.h>

#include <fstream>

#include "tests/demo/meters.h"
#include "tests/support/process.h"

namespace tocsin::demo {
namespace {

class LogMeterTest : public ::testing::Test {
 protected:
  void Log(const std::string& text) {
    std::ofstream(folder_.File("postgresql.log"), std::ios::app) << text;
  }
  void Statement(double milliseconds, const std::string& what = "statement: SELECT 1",
                 const std::string& who = "booking@booking") {
    Log("2026-11-23 07:53:19.123 UTC [71] " + who +
        " LOG:  duration: " + std::to_string(milliseconds) + " ms  " + what + "\n");
  }

  tocsin::testing::TemporaryFolder folder_;
};

TEST_F(LogMeterTest, CountsWhatIsLoggedAfterItBegan) {
  Statement(5000);
  LogMeter meter(folder_.path(), "booking");
  meter.Poll();
  EXPECT_FALSE(meter.P95(std::chrono::seconds(20)));
  for (int i = 0; i < 94; ++i) Statement(10);
  for (int i = 0; i < 6; ++i) Statement(700);
  meter.Poll();
  EXPECT_DOUBLE_EQ(*meter.P95(std::chrono::seconds(20)), 0.7);
}

TEST_F(LogMeterTest, ParseAndBindBelongToTheirExecute) {
  LogMeter meter(folder_.path(), "booking");
  Statement(100, "parse <unnamed>: SELECT $1");
  Statement(200, "bind <unnamed>: SELECT $1");
  meter.Poll();
  EXPECT_FALSE(meter.P95(std::chrono::seconds(20)));
  Statement(300, "execute <unnamed>: SELECT $1");
  meter.Poll();
  EXPECT_DOUBLE_EQ(*meter.P95(std::chrono::seconds(20)), 0.6);
}

TEST_F(LogMeterTest, OtherDatabasesAndHalfLinesAreLeftOut) {
  LogMeter meter(folder_.path(), "booking");
  Statement(900, "statement: SELECT 1", "tocsin@postgres");
  Log("2026-11-23 07:53:19.123 UTC [71] booking@booking LOG:  duration: 800");
  meter.Poll();
  EXPECT_FALSE(meter.P95(std::chrono::seconds(20)));
  Log(".5 ms  statement: SELECT 1\n");
  meter.Poll();
  EXPECT_DOUBLE_EQ(*meter.P95(std::chrono::seconds(20)), 0.8005);
}

}  // namespace
}  // namespace tocsin::demo
