#include "daemon/base/config_node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>

namespace tocsin {
namespace {

ConfigNode Parse(std::string_view text, ConfigErrors& errors) {
  return ConfigNode::Parse(text, "tocsin.yaml", ConfigNode::Expand::kEnvironment, errors);
}

TEST(ConfigReaderTest, AllErrorsOfAFileAreReportedWithTheirPlaces) {
  ConfigErrors errors;
  ConfigReader reader(Parse("interval: soon\nretries: 99\nmode: slotz\nlistn: x\n", errors),
                      errors);
  EXPECT_EQ(reader.Duration("interval", Millis(15'000)), Millis(15'000));
  EXPECT_EQ(reader.Int("retries", 3, 0, 10), 3);
  EXPECT_EQ(reader.Choice("mode", {"arrival", "slots"}, 0), 0);
  EXPECT_EQ(reader.String("listen", "here"), "here");
  reader.Finish();
  EXPECT_EQ(errors.Text(),
            "tocsin.yaml:1:11: interval: not a valid duration: \"soon\" (write 15s, 1h30m or "
            "250ms; units y w d h m s ms, largest first)\n"
            "tocsin.yaml:2:10: retries: must be between 0 and 10\n"
            "tocsin.yaml:3:7: mode: unknown value \"slotz\" (did you mean \"slots\"?); allowed: "
            "arrival, slots\n"
            "tocsin.yaml:4:1: listn: unknown key \"listn\" (did you mean \"listen\"?)\n");
}

TEST(ConfigReaderTest, NestedPlacesNameTheirPath) {
  ConfigErrors errors;
  ConfigReader root(Parse("postgres:\n  - name: a\n    dsn: 5\n  - name: b\n    port: x\n", errors),
                    errors);
  auto targets = root.Maps("postgres");
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].RequiredString("dsn"), "5");
  targets[1].Int("port", 1, 1, 65535);
  targets[1].RequiredString("dsn");
  EXPECT_EQ(errors.Text(),
            "tocsin.yaml:4:5: postgres[1]: \"dsn\" is required\n"
            "tocsin.yaml:5:11: postgres[1].port: expected a whole number, found \"x\"\n");
}

TEST(ConfigNodeTest, SyntaxErrorsAndDuplicateKeysNameLineAndColumn) {
  ConfigErrors errors;
  Parse("a: [1, 2\nb: 3\n", errors);
  ASSERT_EQ(errors.errors().size(), 1u);
  EXPECT_EQ(errors.errors()[0].line, 2);
  ConfigErrors twice;
  Parse("a: 1\nb: 2\na: 3\n", twice);
  EXPECT_EQ(twice.Text(), "tocsin.yaml:3:1: a: key is there twice\n");
}

TEST(ConfigNodeTest, AMergeKeyBringsWhatTheMapDoesNotSayItself) {
  ConfigErrors errors;
  const ConfigNode root = Parse(
      "base: &base { a: 1, b: { c: 2 } }\nmore: &more { a: 3, d: 4 }\n"
      "one: { <<: *base, a: 5 }\nboth: { e: 6, <<: [ *base, *more ] }\nquoted: { '<<': 7 }\n",
      errors);
  EXPECT_EQ(errors.Text(), "");
  EXPECT_EQ(root.Find("one")->Find("a")->scalar(), "5");
  EXPECT_EQ(root.Find("one")->Find("b")->Find("c")->scalar(), "2");
  EXPECT_EQ(root.Find("both")->Find("a")->scalar(), "1");
  EXPECT_EQ(root.Find("both")->Find("d")->scalar(), "4");
  EXPECT_EQ(root.Find("both")->entries().size(), 4u);
  EXPECT_EQ(root.Find("quoted")->Find("<<")->scalar(), "7");
  ConfigErrors wrong;
  Parse("a:\n  <<: 5\n", wrong);
  EXPECT_EQ(wrong.Text(), "tocsin.yaml:2:3: a: << takes a map or a list of maps\n");
  ConfigErrors later;
  Parse("a:\n  b: 1\n  <<: 5\nc: &c { d: 1 }\ne: { <<: *c, <<: *c }\n", later);
  EXPECT_EQ(later.Text(),
            "tocsin.yaml:3:3: a: << takes a map or a list of maps\n"
            "tocsin.yaml:5:14: e: key is there twice\n");
}

TEST(ConfigNodeTest, AliasesThatRepeatWithoutEndAreRefused) {
  std::string ladder = "a0: &a0 { k: 1 }\n";
  std::string lists = "b0: &b0 [ 1, 1 ]\n";
  for (int i = 1; i < 90; ++i) {
    const std::string below = std::to_string(i - 1);
    ladder += fmt::format("a{0}: &a{0} {{ <<: [ *a{1}, *a{1} ] }}\n", i, below);
    lists += fmt::format("b{0}: &b{0} [ *b{1}, *b{1} ]\n", i, below);
  }
  for (const std::string& text : {ladder, lists, std::string("a: &a { <<: [ *a, *a ] }\n")}) {
    ConfigErrors errors;
    Parse(text, errors);
    EXPECT_NE(errors.Text().find("aliases repeat too much"), std::string::npos) << errors.Text();
  }
}

TEST(ConfigNodeTest, AByteOrderMarkIsNoText) {
  ConfigErrors errors;
  const ConfigNode root = Parse(
      "\xEF\xBB\xBF"
      "a: [ 'a', '' ]\n",
      errors);
  EXPECT_EQ(errors.Text(), "");
  EXPECT_EQ(root.Find("a")->items().size(), 2u);
}

TEST(ConfigNodeTest, AFileThatWasCutOffWithinQuotesIsRefused) {
  for (const char* text : {"a: 1\nb: 'it is\n", "a: 1\nb: \"it is\\\"\n", "a: 1\nb: 'it''\n\n"}) {
    ConfigErrors errors;
    Parse(text, errors);
    EXPECT_EQ(errors.Text(), "tocsin.yaml:2:4: b: not valid YAML: the quotes are not closed\n");
  }
  ConfigErrors errors;
  Parse("a: 'it''s'\nb: \"\\\"\"\n'c': !x 'y'\nd: |\n  'e\n\xc3\xa9: '\xc3\xa9'\n", errors);
  EXPECT_EQ(errors.Text(), "");
}

TEST(ConfigNodeTest, ControlCharactersAreRefused) {
  ConfigErrors errors;
  Parse("a: 1\nb: x\x01y\n", errors);
  EXPECT_EQ(errors.Text(), "tocsin.yaml:2:5: not valid YAML: a control character\n");
}

TEST(ConfigNodeTest, VariablesExpandInValuesAndAnUnsetOneIsAnError) {
  setenv("TOCSIN_TEST_HOST", "db1", 1);
  ConfigErrors errors;
  const ConfigNode root = Parse(
      "a: ${TOCSIN_TEST_HOST}:5432\nb: ${TOCSIN_TEST_UNSET:-fallback}\nc: cost $$5\n", errors);
  EXPECT_EQ(root.Find("a")->scalar(), "db1:5432");
  EXPECT_EQ(root.Find("b")->scalar(), "fallback");
  EXPECT_EQ(root.Find("c")->scalar(), "cost $5");
  const ConfigNode captures = Parse("replacement: '${1}-$2-${TOCSIN_TEST_HOST}'\n", errors);
  EXPECT_EQ(captures.Find("replacement")->scalar(), "${1}-$2-db1");
  EXPECT_TRUE(errors.empty()) << errors.Text();
  Parse("d: ${TOCSIN_TEST_UNSET}\n", errors);
  ASSERT_EQ(errors.errors().size(), 1u);
  EXPECT_EQ(errors.errors()[0].path, "d");
}

TEST(ConfigReaderTest, ASecretComesFromItsValueOrItsFileButNotFromBoth) {
  PosixFileSystem files;
  char path[] = "/tmp/tocsin_secret_XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_EQ(write(fd, "hunter2\n", 8), 8);
  close(fd);
  ConfigErrors errors;
  const std::string file_line = "password_file: " + std::string(path) + "\n";
  ConfigReader from_file(Parse(file_line, errors), errors);
  EXPECT_EQ(from_file.SecretValue("password", files).Reveal(), "hunter2");
  EXPECT_TRUE(errors.empty()) << errors.Text();
  ConfigReader both(Parse("password: x\n" + file_line, errors), errors);
  both.SecretValue("password", files);
  ASSERT_EQ(errors.errors().size(), 1u);
  EXPECT_EQ(errors.errors()[0].line, 2);
  unlink(path);
}

TEST(ConfigNodeTest, WhatIsQuotedReadsBackTheSame) {
  for (const std::string text : {"", "plain", "a: [b, {c}] # d", "\"quoted\" 'twice' \\n",
                                 "two\nlines\tand\x01\x1f", "caf\u00e9"}) {
    ConfigErrors errors;
    const std::string yaml = "{ a: " + QuotedYaml(text) + ", b: 1 }\n";
    const ConfigNode root = Parse(yaml, errors);
    ASSERT_TRUE(errors.empty()) << errors.Text();
    EXPECT_EQ(root.Find("a")->scalar(), text);
  }
}

TEST(ConfigNodeTest, HostileNestingEndsInAnErrorNotInACrash) {
  ConfigErrors errors;
  Parse(std::string(2000, '[') + std::string(2000, ']'), errors);
  EXPECT_FALSE(errors.empty());
}

}  // namespace
}  // namespace tocsin
