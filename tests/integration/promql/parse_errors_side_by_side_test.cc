// What is wrong with a query, in the words of Debian's Prometheus 2.42: generated queries
// with words added, lost, repeated and swapped. The first error, and its place, is the same.
//
// A failing seed runs alone with TOCSIN_SIM_SEED=n; TOCSIN_SIM_SEEDS=n runs more.
//
// What 3.x, whose language is ours, reads otherwise is set aside (IsNewIn3).

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "rules/promql/lexer.h"
#include "rules/promql/parser.h"
#include "tests/oracle/query_generator.h"
#include "tests/oracle/seeds.h"
#include "tests/support/prometheus_server.h"

namespace tocsin::testing {
namespace {

using nlohmann::json;

constexpr int kQueriesPerSeed = 2000;
constexpr std::string_view kPrefix = "invalid parameter \"query\": ";

const std::vector<std::string> kWords = {"$",
                                         "(",
                                         ")",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         "=",
                                         "=~",
                                         "!=",
                                         "==",
                                         "+",
                                         "-",
                                         "*",
                                         "^",
                                         "by",
                                         "without",
                                         "on",
                                         "and",
                                         "or",
                                         "unless",
                                         "atan2",
                                         "group_left",
                                         "bool",
                                         "ignoring",
                                         "@",
                                         "offset",
                                         "0",
                                         "1e3",
                                         "\"s\"",
                                         "'",
                                         "sum",
                                         "topk",
                                         "rate",
                                         "rat",
                                         "foo",
                                         "a:b",
                                         ":",
                                         "#",
                                         "!",
                                         "`",
                                         "\\",
                                         "nan",
                                         "()",
                                         "x{a=\"b\"}",
                                         "{}",
                                         "sum()",
                                         "<=",
                                         "\xe2\x88\x9e",
                                         "quantile",
                                         "count_values",
                                         "group_right(",
                                         "1e400"};

class Mutations {
 public:
  explicit Mutations(std::uint64_t seed) : random_(seed) {}

  std::string Of(const std::string& query) {
    std::vector<std::string> words;
    for (const promql::Token& token : promql::Tokenize(query)) {
      if (!token.text.empty()) words.emplace_back(token.text);
    }
    for (int changes = 1 + Below(3); changes > 0; --changes) Change(words);
    const bool spaced = Below(3) != 0;
    std::string out;
    for (const std::string& word : words) {
      // Numbers that run into each other are others, and read otherwise since 3.x.
      const bool runs_on = !out.empty() && IsNumeric(out.back()) && IsNumeric(word.front());
      out += (spaced || runs_on ? " " : "") + word;
    }
    return out;
  }

 private:
  static bool IsNumeric(char c) { return c == '.' || (c >= '0' && c <= '9'); }
  int Below(std::size_t bound) { return static_cast<int>(random_() % bound); }

  void Change(std::vector<std::string>& words) {
    if (words.empty()) return;
    const auto at = words.begin() + Below(words.size());
    const auto other = words.begin() + Below(words.size());
    const std::string word = kWords[static_cast<std::size_t>(Below(kWords.size()))];
    switch (Below(7)) {
      case 0: words.erase(at); break;
      case 1: words.insert(at, std::string(*at)); break;
      case 2: std::swap(*at, *other); break;
      case 3: words.erase(at, words.end()); break;
      case 4: *at = word; break;
      default: words.insert(at, word); break;
    }
  }

  std::mt19937_64 random_;
};

// Without the suggestion that is ours alone.
std::string Told(const std::string& query) {
  const auto expr = promql::Parse(query);
  if (expr.ok()) return "";
  const std::string& message = expr.error().message;
  return message.substr(0, message.find(" (did you mean"));
}

// 2.42 has no word for "@".
std::string Corrected(std::string theirs) {
  const std::string nameless = "\"<Item 57385>\" ";
  const std::size_t at = theirs.find(nameless);
  return at == theirs.npos ? theirs : theirs.erase(at, nameless.size());
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

bool IsNewIn3(const std::string& query, const std::string& theirs, const std::string& ours) {
  static constexpr std::array<std::string_view, 7> kThere = {
      "duration", "subquery", "bracket", "colon", "expected ':'", "unexpected string", "^(?:"};
  for (const std::string_view words : kThere) {
    if (Contains(theirs, words) || Contains(ours, words)) return true;
  }
  // Names of labels with a colon, durations as numbers, start() and end() as functions.
  static const std::regex kDurationAsNumber(R"(,\s*\d+(ms|[smhdwy]))");
  static const std::regex kFunction(R"((start|end)\s*\()");
  return (Contains(theirs, "metric identifier") && Contains(theirs, "expected label")) ||
         (Contains(theirs, "trailing") && std::regex_search(query, kDurationAsNumber)) ||
         (Contains(theirs, "unexpected \"(\"") && std::regex_search(query, kFunction));
}

TEST(ParseErrorsSideBySideTest, TheFirstErrorAndItsPlaceAreUpstreams) {
  const auto prometheus = PrometheusServer::Start("{}\n");
  ASSERT_TRUE(prometheus.ok()) << "install prometheus: " << prometheus.error().message;
  SystemClock clock;
  CurlHttpClient client(clock);
  const auto ask = [&](const std::string& query) -> std::string {
    HttpRequest request;
    request.method = "POST";
    request.url = (*prometheus)->Url("/api/v1/query");
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "time=0&query=" + PercentEncode(query);
    const auto exchange =
        Fetch(client, std::move(request), clock.SteadyNow() + std::chrono::seconds(10));
    const json root = json::parse(exchange.response.body, nullptr, false);
    if (!root.is_object()) return "no answer";
    const std::string error = root.value("error", "");
    return error.starts_with(kPrefix) ? error.substr(kPrefix.size()) : "";
  };
  int wrong = 0;
  for (const std::uint64_t seed : Seeds(2)) {
    SCOPED_TRACE("TOCSIN_SIM_SEED=" + std::to_string(seed));
    QueryGenerator generator(seed, {.only_what_2_x_has = true});
    Mutations mutations(seed);
    for (int i = 0; i < kQueriesPerSeed; ++i) {
      const std::string query = mutations.Of(generator.Next().Text());
      const std::string theirs = Corrected(ask(query));
      const std::string ours = Told(query);
      wrong += theirs.empty() ? 0 : 1;
      if (ours == theirs || IsNewIn3(query, theirs, ours)) continue;
      ADD_FAILURE() << query << "\n  Prometheus: " << theirs << "\n  Tocsin:     " << ours;
    }
  }
  EXPECT_GT(wrong, kQueriesPerSeed / 2);
}

}  // namespace
}  // namespace tocsin::testing
