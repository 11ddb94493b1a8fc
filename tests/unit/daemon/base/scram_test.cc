#include "daemon/base/scram.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

// The example of RFC 7677, section 3: user "user", password "pencil".
TEST(ScramTest, KnowsTheVerifierOfTheStandardsExample) {
  constexpr std::string_view kVerifier =
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
      "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
  EXPECT_TRUE(ScramMatches(kVerifier, Secret("pencil")));
  EXPECT_FALSE(ScramMatches(kVerifier, Secret("pencils")));
}

TEST(ScramTest, AVerifierMatchesItsPasswordAloneAndIsNeverTheSame) {
  const auto one = ScramVerifier(Secret("correct horse"));
  const auto two = ScramVerifier(Secret("correct horse"));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(*one, *two);
  EXPECT_TRUE(ScramMatches(*one, Secret("correct horse")));
  EXPECT_FALSE(ScramMatches(*one, Secret("correct horses")));
}

TEST(ScramTest, WhatCannotBeWrittenDownIsRefused) {
  for (const char* password : {"", "zwei\nZeilen", "schl\xc3\xbcssel"}) {
    EXPECT_FALSE(ScramVerifier(Secret(password)).ok()) << password;
  }
}

TEST(ScramTest, WhatIsNoVerifierMatchesNothing) {
  for (const char* text :
       {"", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:$:", "SCRAM-SHA-256$0:AAAA$x:y",
        "SCRAM-SHA-256$4096:A$x:y", "SCRAM-SHA-256$99999999:AAAA$x:y"}) {
    EXPECT_FALSE(ScramMatches(text, Secret("x"))) << text;
  }
}

// As PostgreSQL has them: md5 of the password and the user's name.
TEST(ScramTest, AnOlderMd5MatchesItsPasswordOfItsUserAlone) {
  constexpr std::string_view kStored = "md506d701b4dd9f7cbb00816251a451b978";
  EXPECT_TRUE(Md5Matches(kStored, "app", Secret("pencil")));
  EXPECT_FALSE(Md5Matches(kStored, "other", Secret("pencil")));
  EXPECT_FALSE(Md5Matches(kStored, "app", Secret("pencils")));
  EXPECT_FALSE(Md5Matches("", "app", Secret("")));
}

TEST(ScramTest, GeneratedPasswordsAreLongAndDiffer) {
  const auto one = GeneratePassword();
  const auto two = GeneratePassword();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one->Reveal().size(), 32u);
  EXPECT_NE(one->Reveal(), two->Reveal());
  EXPECT_TRUE(ScramVerifier(*one).ok());
}

}  // namespace
}  // namespace tocsin
