#pragma once

// Template text to tokens, as Go's text/template/parse cuts it. Internal to the
// template language (go_template.h). Pure functions.

#include <string>
#include <string_view>
#include <vector>

namespace tocsin::formats {

enum class GoToken {
  kError,  // text is the message.
  kEof,
  kText,
  kLeftDelim,
  kRightDelim,
  kSpace,
  kLeftParen,
  kRightParen,
  kPipe,
  kComma,
  kAssign,
  kDeclare,
  kDot,
  kField,       // ".Name"
  kVariable,    // "$name" or "$"
  kIdentifier,  // a function's name
  kBool,
  kNil,
  kNumber,
  kChar,       // 'x', quotes included
  kString,     // "x", quotes included
  kRawString,  // `x`, quotes included
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEnd,
  kIf,
  kRange,
  kTemplate,
  kWith,
};

inline bool IsGoKeyword(GoToken token) { return token >= GoToken::kBlock; }

struct GoLexeme {
  GoToken token = GoToken::kEof;
  std::string text;
  int position = 0;  // Byte in the template's text.
  int line = 1;

  // As parse errors show it: `"foo"`, `<if>`, "EOF".
  std::string Shown() const;
};

// All tokens of `text`, the last one kEof or kError. Comments are left out and
// trim markers applied.
std::vector<GoLexeme> LexGoTemplate(std::string_view text);

}  // namespace tocsin::formats
