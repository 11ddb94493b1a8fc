// Times read by Go's layouts.

#include <gtest/gtest.h>

#include "daemon/formats/go_template_time.h"

namespace tocsin::formats {
namespace {

std::string Read(std::string_view layout, std::string_view text) {
  const auto parsed = GoTimeParse(layout, text);
  return parsed.ok() ? GoTimeText(*parsed) : parsed.error().message;
}

TEST(GoTimeParseTest, ReadsWhatTheLayoutSays) {
  struct Row {
    const char* layout;
    const char* text;
    const char* expected;
  };
  constexpr Row kRows[] = {
      {"2006-01-02", "2026-11-26", "2026-11-26 00:00:00 +0000 UTC"},
      {"2006-01-02  15:04", "2026-11-26 06:16", "2026-11-26 06:16:00 +0000 UTC"},
      {"2006-01-02T15:04:05Z07:00", "2026-11-26T06:16:55Z", "2026-11-26 06:16:55 +0000 UTC"},
      {"2006-01-02T15:04:05Z07:00", "2026-11-26T06:16:55.327+01:00",
       "2026-11-26 06:16:55.327 +0100 +0100"},
      {"2006-01-02 15:04:05.000 -0700", "2026-11-26 06:16:55.300 -0530",
       "2026-11-26 06:16:55.3 -0530 -0530"},
      {"2006-01-02 15:04:05 -0700 MST", "2026-11-26 06:16:55 +0000 UTC",
       "2026-11-26 06:16:55 +0000 UTC"},
      {"Mon Jan _2 15:04:05 2006", "Thu Nov  6 06:16:55 2026", "2026-11-06 06:16:55 +0000 UTC"},
      {"Monday, 02-Jan-06", "thursday, 26-nov-69", "1969-11-26 00:00:00 +0000 UTC"},
      {"January 2, 2006 3:04 PM", "march 5, 2026 12:30 AM", "2026-03-05 00:30:00 +0000 UTC"},
      {"2006 002", "2024 366", "2024-12-31 00:00:00 +0000 UTC"},
      {"15:04", "7:05", "0000-01-01 07:05:00 +0000 UTC"},
      {"15:04:05.999", "07:05:09", "0000-01-01 07:05:09 +0000 UTC"},
      {"_2006", "_2026", "2026-01-01 00:00:00 +0000 UTC"},
  };
  for (const Row& row : kRows) EXPECT_EQ(Read(row.layout, row.text), row.expected) << row.text;
}

TEST(GoTimeParseTest, SaysWhatIsWrongInGosWords) {
  EXPECT_EQ(Read("2006-01-02", "2026-1-02"),
            R"(parsing time "2026-1-02" as "2006-01-02": cannot parse "1-02" as "01")");
  EXPECT_EQ(Read("2006-01-02", "2026/01/02"),
            R"(parsing time "2026/01/02" as "2006-01-02": cannot parse "/01/02" as "-")");
  EXPECT_EQ(Read("2006", "2026-11"), R"(parsing time "2026-11": extra text: "-11")");
  EXPECT_EQ(Read("2006-01-02", "2026-02-30"), R"(parsing time "2026-02-30": day out of range)");
  EXPECT_EQ(Read("2006-01-02", "2026-13-01"), R"(parsing time "2026-13-01": month out of range)");
  EXPECT_EQ(Read("15:04", "24:00"), R"(parsing time "24:00": hour out of range)");
}

}  // namespace
}  // namespace tocsin::formats
