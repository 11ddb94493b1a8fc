#include "collectors/postgres/text_encoding.h"

#include <gtest/gtest.h>

namespace tocsin::collectors::postgres {
namespace {

TEST(TextEncodingTest, ReadsThePostgresNamesOfEncodings) {
  struct Row {
    const char* encoding;
    const char* bytes;
    const char* utf8;
  };
  const Row rows[] = {
      {"EUC_JP", "\xc6\xfc\xcb\xdc", "\u65e5\u672c"},
      {"EUC_KR", "\xc7\xd1", "\ud55c"},
      {"EUC_JIS_2004", "\xc6\xfc", "\u65e5"},
      {"LATIN1", "caf\xe9", "caf\u00e9"},
      {"LATIN9", "\xa4", "\u20ac"},
      {"WIN1252", "\x80", "\u20ac"},
      {"WIN1251", "\xff", "\u044f"},
      {"KOI8R", "\xd1", "\u044f"},
      {"ISO_8859_5", "\xef", "\u044f"},
      {"EUC_JP", "plain", "plain"},
      // Whose last character the converter holds back.
      {"WIN1258",
       "\xd0"
       "a",
       "\u0110a"},
      {"WIN1255", "\xe0\xf9", "\u05d0\u05e9"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(TextEncoding(row.encoding).ToUtf8(row.bytes), row.utf8) << row.encoding;
  }
}

TEST(TextEncodingTest, SaysNothingOfBytesThatAreNoText) {
  EXPECT_EQ(TextEncoding("EUC_JP").ToUtf8("odd\xff"), std::nullopt);
  EXPECT_EQ(TextEncoding("EUC_JP").ToUtf8("half\xc6"), std::nullopt);
  EXPECT_EQ(TextEncoding("WIN1252").ToUtf8("odd\x81"), std::nullopt);
  for (const char* unknown :
       {"SQL_ASCII", "MULE_INTERNAL", "LATIN11", "LATIN", "", "UTF-8//IGNORE"}) {
    EXPECT_EQ(TextEncoding(unknown).ToUtf8("caf\xe9"), std::nullopt) << unknown;
  }
}

TEST(TextEncodingTest, OneTextThatIsNoneSpoilsNoOther) {
  const TextEncoding japanese("EUC_JP");
  EXPECT_EQ(japanese.ToUtf8("half\xc6"), std::nullopt);
  EXPECT_EQ(japanese.ToUtf8("\xc6\xfc"), "\u65e5");
}

}  // namespace
}  // namespace tocsin::collectors::postgres
