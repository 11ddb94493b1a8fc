#include "collectors/postgres/fullest_sequences.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::hours;

const SteadyTime kStart = SteadyTime{} + hours(1000);

FullestSequences::Sequence Used(int oid, double given) {
  return {
      .oid = std::to_string(oid), .schema = "public", .name = "s", .given = given, .size = 1000};
}

std::string Oids(const std::vector<FullestSequences::Sequence>& sequences) {
  std::string text;
  for (const auto& sequence : sequences) text += (text.empty() ? "" : " ") + sequence.oid;
  return text;
}

TEST(FullestSequencesTest, OfMoreThanAHundredThoseThatHaveGivenOutMost) {
  FullestSequences sequences;
  sequences.BeginVisit(kStart);
  for (int oid = 1; oid <= 150; ++oid) sequences.SeeUsed(Used(oid, oid), kStart);
  sequences.SeeUnused("151");
  sequences.CameToTheEnd(kStart);
  EXPECT_TRUE(sequences.LookAgainAt().empty());
  sequences.EndVisit();
  const auto fullest = sequences.Fullest();
  ASSERT_EQ(fullest.size(), 100u);
  EXPECT_EQ(fullest.front().oid, "150");
  EXPECT_EQ(fullest.back().oid, "51");
  EXPECT_EQ(sequences.LeftOut(0), 50u);
}

TEST(FullestSequencesTest, TheFullestAreLookedAtAgainWhileOthersHaveTheirTurn) {
  FullestSequences sequences;
  sequences.BeginVisit(kStart);
  sequences.SeeUsed(Used(1, 900), kStart);
  sequences.SeeUsed(Used(2, 10), kStart);
  sequences.CameTo("2");
  EXPECT_TRUE(sequences.LookAgainAt().empty());
  sequences.EndVisit();
  EXPECT_EQ(sequences.LeftOut(2), 2u);

  sequences.BeginVisit(kStart);
  EXPECT_EQ(sequences.after(), "2");
  sequences.SeeUsed(Used(3, 500), kStart);
  sequences.CameToTheEnd(kStart);
  EXPECT_EQ(sequences.LookAgainAt(), (std::vector<std::string>{"1", "2"}));
  sequences.SeeUsed(Used(1, 901), kStart);
  sequences.EndVisit();  // The other one is gone.
  EXPECT_EQ(Oids(sequences.Fullest()), "1 3");
  EXPECT_EQ(sequences.Fullest().front().given, 901);
  EXPECT_EQ(sequences.after(), "0");
}

TEST(FullestSequencesTest, ARoundIsAsLongAsItsVisitsToTheEnd) {
  FullestSequences sequences;
  sequences.BeginVisit(kStart);
  sequences.CameTo("2");
  sequences.EndVisit();
  EXPECT_EQ(sequences.round(), std::nullopt);
  sequences.BeginVisit(kStart + hours(1));
  sequences.CameTo("4");
  sequences.EndVisit();
  sequences.BeginVisit(kStart + hours(2));
  sequences.CameToTheEnd(kStart + hours(2));
  sequences.EndVisit();
  EXPECT_EQ(sequences.round(), hours(2));
  sequences.BeginVisit(kStart + hours(3));
  sequences.CameTo("2");
  EXPECT_EQ(sequences.round(), hours(2));  // The last whole one.
}

TEST(FullestSequencesTest, OneThatIsLockedStaysAsItWasAndOneThatIsGoneDoesNot) {
  FullestSequences sequences;
  sequences.BeginVisit(kStart);
  for (const int oid : {1, 2}) sequences.SeeUsed(Used(oid, 900), kStart);
  sequences.CameToTheEnd(kStart);
  sequences.EndVisit();
  sequences.BeginVisit(kStart);
  sequences.SeeLocked("1");
  sequences.SeeLocked("7");
  sequences.CameToTheEnd(kStart);
  sequences.EndVisit();
  EXPECT_EQ(Oids(sequences.Fullest()), "1");
  EXPECT_EQ(sequences.LeftOut(0), 0u);
}

TEST(FullestSequencesTest, DaysLeftAreThoseAtThePresentRate) {
  FullestSequences sequences;
  for (const int hour : {0, 1}) {
    sequences.BeginVisit(kStart);
    sequences.SeeUsed(Used(1, 100 + 100 * hour), kStart + hours(hour));
    sequences.CameToTheEnd(kStart);
    sequences.EndVisit();
    EXPECT_EQ(sequences.Fullest().front().days_left.has_value(), hour == 1);
  }
  EXPECT_DOUBLE_EQ(*sequences.Fullest().front().days_left, 800 / 2400.0);
}

}  // namespace
}  // namespace tocsin::collectors::postgres
