#pragma once

// PromQL text to tokens, as upstream's lexer cuts it, with its error texts. Also
// the literals: numbers, durations, strings. Pure functions; thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::promql {

enum class TokenKind {
  kEnd,
  kError,  // `text` is the message.
  kIdentifier,
  kMetricIdentifier,  // With a colon.
  kString,            // With its quotes.
  kNumber,
  kDuration,
  kPunctuation,   // ( ) { } [ ] , = :
  kOperator,      // + == =~ @ and
  kAggregator,    // sum
  kKeyword,       // by offset bool
  kPreprocessor,  // start end step range
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // As written.
  std::string word;       // Operators, keywords and aggregators in lower case; an error's message.
  int start = 0;
  int end = 0;

  bool Is(std::string_view lower_case) const {
    return word == lower_case && kind != TokenKind::kError;
  }
};

// Ends with kEnd or kError. Comments are left out. Tokens view `text`.
std::vector<Token> Tokenize(std::string_view text);

// How an error names a token: `identifier "x"`, `<op:+>`, `end of input`.
std::string Describe(const Token& token);

// The number at the start of a text, as far as upstream's lexer takes it for one.
struct NumberScan {
  std::size_t size = 0;  // Bytes read.
  bool whole = false;    // Otherwise it stopped being one there.
};
// `in_series`: of a test's notation, where "x" ends a number and none is hexadecimal.
NumberScan ScanNumber(std::string_view text, bool in_series);

// "0x1F", "1_000", ".5e3", "Inf", "010" (octal). Errors: upstream's text.
Result<double> ParseNumberLiteral(std::string_view text);

// "1h30m" in milliseconds. Errors: upstream's text.
Result<std::int64_t> ParseDurationLiteral(std::string_view text);

// The value of a quoted string that the lexer has accepted.
std::string Unquote(std::string_view quoted);

// `"…"` with escapes as Go's %q writes them.
std::string GoQuote(std::string_view text);

// Without exponent, shortest: "0.001", "100000000000000000000000", "+Inf", "NaN".
std::string FormatFixed(double value);
std::string FormatShortest(double value);  // Go's %g: with an exponent from 1e6 on.

// "3:7" for byte `offset`; lines and columns from 1.
std::pair<int, int> LineAndColumn(std::string_view text, int offset);

}  // namespace tocsin::promql
