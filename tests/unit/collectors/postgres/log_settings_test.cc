#include "collectors/postgres/log_settings.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::postgres {
namespace {

LogSettings Complete() {
  LogSettings settings;
  settings.log_min_duration_statement = "0";
  settings.log_duration = "off";
  settings.log_statement = "none";
  settings.log_min_messages = "warning";
  settings.lc_messages = "C.UTF-8";
  settings.log_destination = "stderr";
  return settings;
}

std::string Why(const LogSettings& settings) {
  const auto verdict = JudgeLogSettings(settings);
  return verdict.ok() ? "complete" : verdict.error().message;
}

TEST(LogSettingsTest, EveryDurationLoggedIsComplete) {
  EXPECT_EQ(Why(Complete()), "complete");
  LogSettings paired = Complete();
  paired.log_min_duration_statement = "-1";
  paired.log_duration = "on";
  paired.log_statement = "all";
  EXPECT_EQ(Why(paired), "complete");
  paired.log_min_duration_statement = "1s";
  EXPECT_EQ(Why(paired), "complete");
}

TEST(LogSettingsTest, SlowStatementsOnlyAreNotEnough) {
  LogSettings slow = Complete();
  slow.log_min_duration_statement = "1s";
  EXPECT_EQ(Why(slow),
            "log_min_duration_statement = 1s logs slow statements only: set "
            "log_min_duration_statement = 0, or log_duration = on with log_statement = all, and "
            "reload");
}

TEST(LogSettingsTest, EachOtherGapIsNamed) {
  LogSettings off = Complete();
  off.log_min_duration_statement = "-1";
  EXPECT_NE(Why(off).find("does not log the duration of statements"), std::string::npos);
  LogSettings unnamed = off;
  unnamed.log_duration = "on";
  unnamed.log_statement = "ddl";
  EXPECT_NE(Why(unnamed).find("log_duration = on with log_statement = ddl"), std::string::npos);
  LogSettings quiet = Complete();
  quiet.log_min_messages = "panic";
  EXPECT_NE(Why(quiet).find("set log_min_messages = warning"), std::string::npos);
  LogSettings german = Complete();
  german.lc_messages = "de_DE.UTF-8";
  EXPECT_NE(Why(german).find("set lc_messages = 'C'"), std::string::npos);
}

TEST(LogSettingsTest, AnOverrideThatHidesStatementsIsNamed) {
  LogSettings settings = Complete();
  settings.overrides = {{"role \"app\"", "log_min_duration_statement", "250", false}};
  EXPECT_EQ(Why(settings),
            "the role \"app\" sets log_min_duration_statement = 250, so that its statements are "
            "missing: reset it there");
  settings.overrides = {{"role \"app\"", "log_min_duration_statement", "0", false},
                        {"role \"app\"", "log_lock_waits", "on", true},
                        {"database \"shop\"", "log_statement", "ddl", false}};
  EXPECT_EQ(Why(settings), "complete");
  settings.overrides = {{"role \"tocsin\"", "log_min_duration_statement", "-1", true}};
  EXPECT_NE(Why(settings).find("of our own connection"), std::string::npos);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
