#include "rules/promql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "rules/promql/ast.h"

namespace tocsin::promql {
namespace {

std::string ErrorOf(std::string_view text) {
  const Result<ExprPtr> expr = Parse(text);
  return expr.ok() ? "parsed as " + Text(**expr) : expr.error().message;
}

std::string Printed(std::string_view text) {
  const Result<ExprPtr> expr = Parse(text);
  return expr.ok() ? Text(**expr) : expr.error().message;
}

struct Case {
  std::string_view text;
  std::string_view error;
};

TEST(ParserTest, ErrorsNameThePlaceAndWhatWasExpected) {
  const std::vector<Case> cases = {
      {"", "1:1: parse error: no expression found in input"},
      {"# only a comment", "1:1: parse error: no expression found in input"},
      {"1 +", "1:4: parse error: unexpected end of input"},
      {"1 1", "1:3: parse error: unexpected number \"1\""},
      {"*1", "1:1: parse error: unexpected <op:*>"},
      {"(1))", "1:5: parse error: unexpected right parenthesis ')'"},
      {"((1)", "1:5: parse error: unclosed left parenthesis"},
      {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
      {"a:b c:d", "1:5: parse error: unexpected metric identifier \"c:d\""},
      {"foo\nbar", "2:1: parse error: unexpected identifier \"bar\""},
      {"sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation"},
      {"sum by (a) foo", "1:12: parse error: unexpected identifier \"foo\" in aggregation"},
      {"sum some_metric by (test)", "1:5: parse error: unexpected identifier \"some_metric\""},
      {"sum (some_metric) by test",
       "1:22: parse error: unexpected identifier \"test\" in grouping opts, expected \"(\""},
      {"sum without(==)(some_metric)",
       "1:13: parse error: unexpected <op:==> in grouping opts, expected label"},
      {"sum by (without) (x)",
       "1:9: parse error: unexpected <without> in grouping opts, expected label"},
      {"sum by (a b) (x)",
       "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
      {"sum (a) without (b) by (c)", "1:21: parse error: unexpected <by>"},
      {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
      {"topk(some_metric)",
       "1:1: parse error: wrong number of arguments for aggregate expression provided, expected "
       "2, got 1"},
      {"rate(foo[5m],)", "1:13: parse error: trailing commas not allowed in function call args"},
      {"foo{", "1:5: parse error: unexpected end of input inside braces"},
      {"foo{a}",
       "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator"},
      {"foo{a=}", "1:7: parse error: unexpected \"}\" in label matching, expected string"},
      {"foo{a=\"b\" c=\"d\"}",
       "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
      {"foo{,}",
       "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\""},
      {"foo{a>\"b\"}", "1:6: parse error: unexpected character inside braces: '>'"},
      {"foo[", "1:5: parse error: unexpected end of input in duration expression"},
      {"foo[5m", "1:7: parse error: unclosed left bracket"},
      {"foo[5m[", "1:7: parse error: unexpected left bracket '['"},
      {"foo[5m q", "1:8: parse error: unexpected character: 'q', expected ':'"},
      {"foo[5m:1m:", "1:10: parse error: unexpected colon ':'"},
      {"foo[:5m]", "1:6: parse error: unexpected colon before duration in duration expression"},
      {"foo[# five\n5m]", "1:5: parse error: unexpected character in duration expression: '#'"},
      {"foo[max(1, 2)]", "1:5: parse error: unexpected character in duration expression: 'm'"},
      {"foo[]",
       "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, "
       "duration, step(), or range()"},
      {"foo[5m:1m 2]",
       "1:11: parse error: unexpected number \"2\" in subquery selector, expected \"]\""},
      {"foo[-5m]", "1:5: parse error: duration must be greater than 0"},
      {"foo[0]", "1:5: parse error: duration must be greater than 0"},
      {"foo[5m] offset",
       "1:15: parse error: unexpected end of input in offset, expected number, duration, step(), "
       "or range()"},
      {"foo @", "1:6: parse error: unexpected end of input in @, expected timestamp"},
      {"foo @ inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"},
      {"foo offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
      {"foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
      {"(foo) offset 1m",
       "1:1: parse error: offset modifier must be preceded by an instant vector selector or range "
       "vector selector or a subquery"},
      {"foo offset 1m[5m]", "1:14: parse error: no offset modifiers allowed before range"},
      {"foo @ 5[5m]", "1:8: parse error: no @ modifiers allowed before range"},
      {"rate(foo)[5m]", "1:10: parse error: ranges only allowed for vector selectors"},
      {"\"unterminated", "1:1: parse error: unterminated quoted string"},
      {"\"\\q\"", "1:1: parse error: unknown escape sequence U+0071 'q'"},
      {"foo !~ 1", "1:5: parse error: unexpected character after '!': '~'"},
      {"0xZ", "1:1: parse error: bad number or duration syntax: \"0x\""},
      {"5hs", "1:1: parse error: unknown unit \"hs\" in duration \"5hs\""},
      {"foo[1y3ws]", "1:5: parse error: unknown unit \"ws\" in duration \"1y3ws\""},
      {"sum by (\"\\xfe\") (x)", "1:9: parse error: invalid label name for grouping: \"\\xfe\""},
      {"1m1h", "1:1: parse error: not a valid duration string: \"1m1h\""},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorOf(c.text), c.error) << c.text;
}

// Upstream's parser reads one token ahead where a rule may go on, and tells the first of its
// errors: a token that is none comes before what only its rule would notice.
TEST(ParserTest, OfSeveralErrorsTheOneThatUpstreamMeetsFirstIsTold) {
  const std::string no_dollar = "parse error: unexpected character: '$'";
  const std::string no_arguments = "parse error: no arguments for aggregate expression provided";
  const std::string trailing = "parse error: trailing commas not allowed in function call args";
  const std::string experimental = "parse error: experimental duration expression is not enabled";
  const std::vector<std::pair<std::string_view, std::string>> cases = {
      {"sum()$", "1:6: " + no_dollar},
      {"sum(x, y) $", "1:11: " + no_dollar},
      {"sum() x", "1:1: " + no_arguments},
      {"sum by (a) ()$", "1:1: " + no_arguments},
      {"sum() by (a)$", "1:1: " + no_arguments},
      {"sum(topk()) + rat()$", "1:5: " + no_arguments},
      {"rat()$", "1:1: parse error: unknown function with name \"rat\" (did you mean \"rate\"?)"},
      {"limitk()", "1:1: " + no_arguments},
      {"limitk(1, rat())",
       "1:11: parse error: unknown function with name \"rat\" (did you mean \"rate\"?)"},
      {"round(x,", "1:9: parse error: unclosed left parenthesis"},
      {"round(x,)", "1:8: " + trailing},
      {"round(x,,1)", "1:8: " + trailing},
      {"round(x, *1)", "1:8: " + trailing},
      {"round(x,$)", "1:9: " + no_dollar},
      {"a + on(x) group_left * b",
       "1:22: parse error: unexpected <op:*> in grouping opts, expected \"(\""},
      {"foo[0$", "1:6: " + no_dollar},
      {"foo[0 + 1m]", "1:5: " + experimental},
      {"foo[1m + 2m * 3]", "1:10: " + experimental},
      {"foo[1m * 2 + 3]", "1:5: " + experimental},
      {"foo[-2^2]", "1:6: " + experimental},
      {"foo[(5m)]", "1:6: " + experimental},
      {"foo[5m + ]",
       "1:10: parse error: unexpected \"]\" in subquery or range selector, expected number, "
       "duration, step(), or range()"},
      {"foo[5m:1m + ]",
       "1:13: parse error: unexpected \"]\" in subquery selector, expected number, duration, "
       "step(), range(), or \"]\""},
      {"foo[5m:0]", "1:8: parse error: duration must be greater than 0"},
      {"foo offset -bar",
       "1:13: parse error: unexpected identifier \"bar\" in offset, expected number, duration, "
       "step(), or range()"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(ErrorOf(text), error) << text;
  EXPECT_EQ(Printed("foo offset -2^2"), "foo offset -2s ^ 2");
}

TEST(ParserTest, NumbersAreThoseOfGo) {
  EXPECT_EQ(Printed("1_000.5"), "1000.5");
  EXPECT_EQ(Printed("0_7 + 0_9"), "7 + 9");
  for (const char* bad : {"1_ + 2", "0x1_ + 2"}) {
    EXPECT_NE(ErrorOf(bad).find("invalid syntax"), std::string::npos) << ErrorOf(bad);
  }
}

TEST(ParserTest, TypesAreChecked) {
  const std::vector<Case> cases = {
      {"1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
      {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
      {"1 and 2", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
      {"a and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
      {"a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors"},
      {"a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation"},
      {"a + on(x) group_left(x) b",
       "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once"},
      {"a[5m] + 1",
       "1:1: parse error: binary expression must contain only scalar and instant vector types"},
      {"-\"x\"",
       "1:1: parse error: unary expression only allowed on expressions of type scalar or instant "
       "vector, got \"string\""},
      {"sum(1)",
       "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
      {"count_values(5, x)",
       "1:14: parse error: expected type string in aggregation parameter, got scalar"},
      {"rate(foo)",
       "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
       "vector"},
      {"abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"},
      {"round(a, 1, 2)",
       "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
      {"label_join(a, \"b\")",
       "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2"},
      {"(1)[5m:1m]",
       "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
      {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"{a=~\".*\"}",
       "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"foo{__name__=\"bar\"}",
       "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorOf(c.text), c.error) << c.text;
}

TEST(ParserTest, UnknownFunctionNamesTheNearest) {
  EXPECT_EQ(ErrorOf("sum(rat(foo[5m]))"),
            "1:5: parse error: unknown function with name \"rat\" (did you mean \"rate\"?)");
  EXPECT_EQ(ErrorOf("nothing_like_it_at_all(foo)"),
            "1:1: parse error: unknown function with name \"nothing_like_it_at_all\"");
}

TEST(ParserTest, ExperimentalLanguageIsRefusedAsWithoutItsFlag) {
  EXPECT_EQ(ErrorOf("mad_over_time(x[5m])"),
            "1:1: parse error: function \"mad_over_time\" is not enabled");
  EXPECT_EQ(ErrorOf("limitk(1, x)"),
            "1:1: parse error: limitk() is experimental and must be enabled with "
            "--enable-feature=promql-experimental-functions");
  EXPECT_EQ(ErrorOf("x[5m + 1m]"),
            "1:3: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(ErrorOf("x[max_of(1m, 2m)]"),
            "1:3: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(ErrorOf("x offset min_of(1m, 2m)"),
            "1:10: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(ErrorOf("max_of(1, 2)"), "1:1: parse error: function \"max_of\" is not enabled");
  EXPECT_EQ(ErrorOf("x[step()]"),
            "1:3: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(ErrorOf("x[step]"),
            "1:7: parse error: unexpected \"]\" in subquery or range selector, expected number, "
            "duration, step(), or range()");
  EXPECT_EQ(ErrorOf("x[5m] smoothed"),
            "1:1: parse error: smoothed modifier is experimental and not enabled");
  EXPECT_EQ(ErrorOf("a + fill(0) b"),
            "1:1: parse error: binop fill modifiers are experimental and not enabled");
}

TEST(ParserTest, WordsOfTheLanguageMayNameMetricsAndLabels) {
  EXPECT_EQ(Printed("sum + by + offset offset 5m"), "sum + by + offset offset 5m");
  EXPECT_EQ(Printed("fill + start - end"), "fill + start - end");
  EXPECT_EQ(Printed("sum by (sum, by, bool, on) (count)"), "sum by (sum, by, bool, on) (count)");
  EXPECT_EQ(Printed("foo{by=\"1\", and=\"2\"}"), "foo{and=\"2\",by=\"1\"}");
  EXPECT_EQ(Printed("SUM BY (A) (x) AND y"), "sum by (A) (x) and y");
}

TEST(ParserTest, PrintsTheCanonicalText) {
  const std::vector<Case> cases = {
      {"sum(rate(m{a=\"b\"}[5m]))by(job)", "sum by (job) (rate(m{a=\"b\"}[5m]))"},
      {"sum without(a,b)(x)", "sum without (a, b) (x)"},
      {"topk(5,x)", "topk(5, x)"},
      {"a>bool on(x)group_left(y)b", "a > bool on (x) group_left (y) b"},
      {"a*on()b", "a * on () b"},
      {"a*ignoring()group_right b", "a * ignoring () group_right () b"},
      {"a+b", "a + b"},
      {"-a^2", "-a ^ 2"},
      {"{'a.b',\"c d\"=~'x|y'}", "{\"c d\"=~\"x|y\",__name__=\"a.b\"}"},
      {"x[90d]", "x[90d]"},
      {"x[7d]", "x[1w]"},
      {"x[90m:30s]offset -1h@end()", "x[1h30m:30s] @ end() offset -1h"},
      {"x[1h:]@1.5", "x[1h:] @ 1.500"},
      {"x offset 90", "x offset 1m30s"},
      {"1e3", "1000"},
      {"1.5e-7", "0.00000015"},
      {"0x10", "16"},
      {"5m", "5m"},
      {"-5m", "-5m"},
      {"Inf + nan", "+Inf + NaN"},
      {"`a\"b`", "\"a\\\"b\""},
      {"sum by (\"a.b\") (x)", "sum by (\"a.b\") (x)"},
      {"((a))", "((a))"},
  };
  for (const Case& c : cases) EXPECT_EQ(Printed(c.text), c.error) << c.text;
}

TEST(ParserTest, ANumberThatNoDoubleHoldsIsRefused) {
  EXPECT_EQ(ErrorOf("x > 1e309"),
            "1:5: parse error: error parsing number: strconv.ParseFloat: parsing \"1e309\": value "
            "out of range");
  EXPECT_EQ(Printed("1e-400"), "0");
  EXPECT_EQ(Printed("-Inf"), "-Inf");
}

TEST(ParserTest, LongExpressionsBreakOverLines) {
  const Result<ExprPtr> expr = Parse(
      "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) / sum by (job) "
      "(rate(http_requests_total[5m])) > 0.05");
  ASSERT_TRUE(expr.ok());
  EXPECT_EQ(PrettyText(**expr),
            "    sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m]))\n"
            "  /\n"
            "    sum by (job) (rate(http_requests_total[5m]))\n"
            ">\n"
            "  0.05");
}

TEST(ParserTest, ASubqueryThatFitsStandsAtTheBeginningOfItsLine) {
  const Result<ExprPtr> expr = Parse(
      "-max_over_time(a_metric_whose_name_is_so_long_that_no_line_could_hold_it_with_the_rest[30m:"
      "30s] offset 5m)");
  ASSERT_TRUE(expr.ok());
  EXPECT_EQ(
      PrettyText(**expr),
      "-max_over_time(\n"
      "a_metric_whose_name_is_so_long_that_no_line_could_hold_it_with_the_rest[30m:30s] offset "
      "5m\n"
      ")");
}

TEST(ParserTest, SelectorsForMatchParameters) {
  const auto matchers = ParseSelector("up{job=~\"a|b\"}");
  ASSERT_TRUE(matchers.ok());
  ASSERT_EQ(matchers->size(), 2u);
  EXPECT_FALSE(ParseSelector("up offset 5m").ok());
  EXPECT_FALSE(ParseSelector("rate(up[5m])").ok());
  EXPECT_FALSE(ParseSelector("").ok());
}

TEST(ParserTest, SelectorsOfAnExpressionComeInReadingOrder) {
  const Result<ExprPtr> expr = Parse("topk(scalar(k), rate(a{x=\"1\"}[5m])) > on () b or c[1h:5m]");
  ASSERT_FALSE(expr.ok());  // A range vector is no operand.
  const Result<ExprPtr> fixed = Parse("topk(scalar(k), rate(a{x=\"1\"}[5m])) > on () b");
  ASSERT_TRUE(fixed.ok());
  const auto selectors = SelectorsOf(**fixed);
  ASSERT_EQ(selectors.size(), 3u);
  EXPECT_EQ(selectors[0][0].value(), "k");
  EXPECT_EQ(selectors[1].size(), 2u);
  EXPECT_EQ(selectors[2][0].value(), "b");
}

TEST(ParserTest, ComparedSideIsWhatAConditionShows) {
  const auto side = [](std::string_view text) {
    const ExprPtr compared = ComparedSide(*Parse(text));
    return compared == nullptr ? "none" : Text(*compared);
  };
  EXPECT_EQ(side("rate(a[5m]) > 5"), "rate(a[5m])");
  EXPECT_EQ(side("5 < a"), "a");
  EXPECT_EQ(side("(a > b) and c"), "a");
  EXPECT_EQ(side("a > bool 1"), "none");
  EXPECT_EQ(side("a or b > 1"), "none");
  EXPECT_EQ(side("absent(a)"), "none");
}

// `first`, and `rest` behind it `count` times.
std::string Repeated(std::string first, std::string_view rest, int count) {
  for (int i = 0; i < count; ++i) first += rest;
  return first;
}

TEST(ParserTest, AChainOfOperatorsMayBeLong) {
  const std::string chain = Repeated("a", " + a", 20'000);
  EXPECT_EQ(Printed(chain), chain);
  const std::string sets = Repeated("a", " or a unless b", 5000);
  EXPECT_EQ(Printed(sets), sets);
  EXPECT_EQ(SelectorsOf(**Parse(chain)).size(), 20'001u);
  EXPECT_EQ(ComparedSide(*Parse(Repeated("a > 1", " and b", 20'000)))->kind,
            ExprKind::kVectorSelector);
  EXPECT_EQ(ErrorOf(Repeated("{}", "-1", 20'000)),
            "1:1: parse error: vector selector must contain at least one non-empty matcher");
  EXPECT_EQ(ErrorOf(Repeated("1", "+1", 9999) + "+\"x\""),
            "1:20001: parse error: binary expression must contain only scalar and instant vector "
            "types");
  // A part of it may outlive it.
  ExprPtr kept = As<BinaryExpr>(**Parse(chain)).lhs;
  EXPECT_EQ(As<BinaryExpr>(*kept).chain, 19'999);
  kept.reset();
}

TEST(ParserTest, OfALongChainTheTreeIsBrokenOverLinesAsLongAsThatIsShort) {
  const ExprPtr expr = *Parse(Repeated("a", " + a", 30));
  EXPECT_EQ(PrettyText(*expr).substr(0, 60),
            std::string(12, ' ') + Repeated("a", " + a", 11) + " + ");
  EXPECT_TRUE(PrettyText(*expr).ends_with("\n  +\n    a\n+\n  a"));
  const std::string long_chain = Repeated("a", " + a", 20'000);
  EXPECT_EQ(PrettyText(**Parse(long_chain)), long_chain);
}

TEST(ParserTest, HostileInputIsBounded) {
  EXPECT_NE(ErrorOf(std::string(100'000, '(')).find("parse error"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(kMaxExprBytes, '(')).find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(5000, '(') + "1" + std::string(5000, ')')).find("nested"),
            std::string::npos);
  EXPECT_NE(ErrorOf(std::string(5000, '-') + "a").find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf("a[" + std::string(100'000, '(')).find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf("a[" + Repeated("2", "^2", 5000) + "]").find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf("a[" + std::string(100'000, '-') + "]").find("parse error"), std::string::npos);
  EXPECT_NE(ErrorOf("a offset " + std::string(100'000, '-')).find("parse error"),
            std::string::npos);
  // Chains within chains, where each counts.
  std::string chains = "a";
  for (int i = 0; i < 100; ++i) chains = "b-(" + Repeated(chains, "-1", 63) + ")";
  EXPECT_NE(ErrorOf(chains).find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf(Repeated("a", "[1m:]", 20'000)).find("parse error"), std::string::npos);
  EXPECT_EQ(ErrorOf(Repeated("a", "+a", kMaxExprChain + 1)),
            "1:1: parse error: expression has more than 50000 operators in a row");
  EXPECT_NE(ErrorOf(Repeated("1", "^1", 5000)).find("nested"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(kMaxExprBytes + 1, ' ')).find("longer"), std::string::npos);
  EXPECT_EQ(ErrorOf("\"\xff\""), "1:1: parse error: invalid UTF-8 rune");
}

}  // namespace
}  // namespace tocsin::promql
