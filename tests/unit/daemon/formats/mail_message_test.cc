// Mails as they go over the wire, read back by a reader of the tests' own.

#include "daemon/formats/mail_message.h"

#include <gmock/gmock.h>

#include "tests/support/mail_reader.h"

namespace tocsin::formats {
namespace {

using ::testing::ElementsAre;
using testing::FaultOfMailLines;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReadMailText;

std::string Encode(std::vector<std::pair<std::string, std::string>> headers,
                   const std::string& text = "", const std::string& html = "") {
  const std::string mail = EncodeMail({std::move(headers), text, html, "=_x"});
  EXPECT_EQ(FaultOfMailLines(mail), "");
  return mail;
}

std::string HeaderReadBack(const std::string& name, const std::string& value) {
  return ReadMailText(Encode({{name, value}})).headers[name];
}

TEST(MailMessageTest, PlainHeadersStandAsTheyAre) {
  EXPECT_THAT(Encode({{"Subject", "[FIRING:1] PgDown c1 (critical)"}}),
              HasSubstr("Subject: [FIRING:1] PgDown c1 (critical)\r\n"));
}

TEST(MailMessageTest, EveryHeaderReadsBackAsItWas) {
  for (const std::string& value :
       {std::string("Größe über 90 %"),
        std::string("日本語のアラート、とても長い件名です。") +
            std::string("何度も何度も繰り返されるので折り返します"),
        std::string(200, 'x') + " " + std::string(3000, 'y'), std::string("a =?UTF-8?q?b?= c"),
        std::string("two  spaces, under_scores, question? marks = signs"),
        std::string("words that go on and on and on, well beyond what fits on one line of a "
                    "header, and then some more of them"),
        std::string("")}) {
    EXPECT_EQ(HeaderReadBack("Subject", value), value);
    EXPECT_EQ(HeaderReadBack("X-A-Header-With-Quite-A-Long-Name", value), value);
  }
}

TEST(MailMessageTest, NoValueCanBeginAHeaderOrTheBody) {
  for (const std::string& evil : {std::string("x\r\nBcc: evil@x"), std::string("x\nBcc: evil@x"),
                                  std::string("x\rBcc: evil@x"), std::string("x\r\n\r\nBody"),
                                  std::string("x\0y\r\nBcc: z", 11),
                                  std::string("x\xe2\x80\xa8"
                                              "Bcc: evil@x"),
                                  std::string("x\x85"
                                              "Bcc: evil@x"),
                                  std::string("ü\r\nBcc: evil@x")}) {
    for (const char* name : {"Subject", "To", "From", "Message-Id", "X-Team"}) {
      const auto mail = ReadMailText(Encode({{name, evil}, {"Last", "one"}}, "text"));
      EXPECT_EQ(mail.headers.count("Bcc"), 0u) << evil;
      EXPECT_EQ(mail.headers.count("Last"), 1u) << evil;
      EXPECT_THAT(mail.headers.at(name), Not(HasSubstr("\n")));
    }
  }
}

TEST(MailMessageTest, NamesOfPeopleAreEncodedTheirAddressesAreNot) {
  EXPECT_THAT(Encode({{"To", "Jörg Müller <joerg@example.com>, ops@example.com"}}),
              HasSubstr("<joerg@example.com>,\r\n ops@example.com\r\n"));
  EXPECT_EQ(HeaderReadBack("To", "Jörg <joerg@example.com>"), "Jörg <joerg@example.com>");
  EXPECT_EQ(HeaderReadBack("From", "\"Carl, jr.\" <carl@example.com>"),
            "\"Carl, jr.\" <carl@example.com>");
}

TEST(MailMessageTest, BothPartsReadBackAsTheyWere) {
  const std::string text = "first line\n.\n..two dots\ntrailing space \ntab\t\n=20 equals\n" +
                           std::string(300, '.') + "\nüber " + std::string(200, 'x') +
                           "\nFrom here\n";
  const std::string html = "<p>grün &amp; \"blau\"</p>\r\n<p>" + std::string(5000, 'z') + "</p>\n";
  const std::string mail = Encode({{"Subject", "s"}}, text, html);
  // Nothing that SMTP or a mail box could take for its own sign.
  EXPECT_THAT(mail, Not(HasSubstr("\r\n.")));
  const auto read = ReadMailText(mail);
  ASSERT_EQ(read.parts.size(), 2u);
  EXPECT_EQ(read.parts[0].first, "text/plain; charset=UTF-8");
  EXPECT_EQ(read.parts[0].second, text);
  EXPECT_EQ(read.parts[1].first, "text/html; charset=UTF-8");
  EXPECT_EQ(read.parts[1].second,
            "<p>grün &amp; \"blau\"</p>\n<p>" + std::string(5000, 'z') + "</p>\n");
  EXPECT_EQ(read.headers.at("MIME-Version"), "1.0");
}

TEST(MailMessageTest, AnEmptyPartIsLeftOutAndAMailIsNeverEmpty) {
  EXPECT_EQ(ReadMailText(Encode({}, "", "<p>x</p>")).parts.size(), 1u);
  EXPECT_EQ(ReadMailText(Encode({}, "x", "")).parts.size(), 1u);
  EXPECT_EQ(ReadMailText(Encode({}, "", "")).parts.size(), 1u);
}

TEST(MailMessageTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(HeaderReadBack("Subject",
                           "a\xff"
                           "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(ReadMailText(Encode({},
                                "a\xff"
                                "b\n"))
                .parts[0]
                .second,
            "a\xef\xbf\xbd"
            "b\n");
}

TEST(MailAddressTest, ListsAreReadAsRfc5322WritesThem) {
  const auto list = ParseMailAddresses(
      " ann@example.com, Bob Ops <bob@example.com> ,\"Carl, jr.\" <carl.x+y@[127.0.0.1]>,"
      "Jörg<joerg@xn--bcher-kva.example>");
  ASSERT_TRUE(list.ok()) << list.error().message;
  std::vector<std::string> read;
  for (const auto& one : *list) read.push_back(one.name + "|" + one.address);
  EXPECT_THAT(read,
              ElementsAre("|ann@example.com", "Bob Ops|bob@example.com",
                          "Carl, jr.|carl.x+y@[127.0.0.1]", "Jörg|joerg@xn--bcher-kva.example"));
}

TEST(MailAddressTest, WhatIsNoneIsAnError) {
  for (const char* text : {"",
                           " ",
                           ",",
                           "ann",
                           "ann@",
                           "@example.com",
                           "a b@example.com",
                           "ann@exa mple.com",
                           "ann@example.com bob@example.com",
                           "Ann <ann@example.com",
                           "Ann <>",
                           "\"Ann",
                           "a..b@x",
                           ".a@x",
                           "ann@example.com>",
                           "ann@x\r\nRCPT TO:<evil@x>",
                           "<ann@x\nQUIT>",
                           "\"Ann\"",
                           "ann@example.com; bob@example.com",
                           "ann@[x y]",
                           "jörg@example.com",
                           "Ann <ann@bücher.example>"}) {
    EXPECT_FALSE(ParseMailAddresses(text).ok()) << text;
  }
}

}  // namespace
}  // namespace tocsin::formats
