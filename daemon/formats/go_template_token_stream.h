#pragma once

// The tokens of a template as its parser reads them, with the place errors are
// reported at. After the first error the rest reads as the end of the text, so
// that every loop of the parser ends. Internal to the template language. Not
// thread-safe.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/formats/go_template_lexer.h"

namespace tocsin::formats {

class GoTokenStream {
 public:
  // `name` is the template's in errors; it must outlive the stream.
  GoTokenStream(const std::string& name, std::string_view text);

  const GoLexeme& Peek() const { return tokens_[at_]; }
  const GoLexeme& PeekNonSpace();
  // The first token behind the delimiter that is next.
  GoToken PeekInAction() const;
  GoLexeme Next();
  GoLexeme NextNonSpace();
  // The next token, which must be an `expected` one.
  GoLexeme Expect(GoToken expected, std::string_view context);

  // Where the stream is, and a way back.
  std::size_t Mark() const { return at_; }
  void BackTo(std::size_t mark) { at_ = mark; }

  // Between these, an error of the lexer says where the action began.
  void BeginAction(int line) { action_line_ = line; }
  void EndAction() { action_line_ = 0; }

  // Keeps the first message: at the line of the last token taken, or of the next.
  void Fail(std::string message);
  void FailHere(std::string message);
  void Unexpected(const GoLexeme& token, std::string_view context);
  const std::optional<Error>& error() const { return error_; }

 private:
  const std::string& name_;
  std::vector<GoLexeme> tokens_;
  std::size_t at_ = 0;
  int line_ = 1;
  int action_line_ = 0;
  std::optional<Error> error_;
};

}  // namespace tocsin::formats
