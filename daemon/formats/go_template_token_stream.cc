#include "daemon/formats/go_template_token_stream.h"

#include <fmt/format.h>

#include <utility>

namespace tocsin::formats {

GoTokenStream::GoTokenStream(const std::string& name, std::string_view text)
    : name_(name), tokens_(LexGoTemplate(text)) {}

const GoLexeme& GoTokenStream::PeekNonSpace() {
  while (tokens_[at_].token == GoToken::kSpace) ++at_;
  return tokens_[at_];
}

GoToken GoTokenStream::PeekInAction() const {
  std::size_t at = at_ + 1;
  while (at < tokens_.size() && tokens_[at].token == GoToken::kSpace) ++at;
  return at < tokens_.size() ? tokens_[at].token : GoToken::kEof;
}

GoLexeme GoTokenStream::Next() {
  GoLexeme out = tokens_[at_];
  line_ = out.line;
  if (at_ + 1 < tokens_.size()) ++at_;
  return out;
}

GoLexeme GoTokenStream::NextNonSpace() {
  PeekNonSpace();
  return Next();
}

GoLexeme GoTokenStream::Expect(GoToken expected, std::string_view context) {
  GoLexeme token = NextNonSpace();
  if (token.token != expected) Unexpected(token, context);
  return token;
}

void GoTokenStream::Fail(std::string message) {
  if (!error_) {
    error_ = Error{ErrorCode::kInvalidArgument,
                   fmt::format("template: {}:{}: {}", name_, line_, message)};
  }
  tokens_.assign(1, GoLexeme{GoToken::kEof, "", 0, line_});
  at_ = 0;
}

void GoTokenStream::FailHere(std::string message) {
  line_ = Peek().line;
  Fail(std::move(message));
}

void GoTokenStream::Unexpected(const GoLexeme& token, std::string_view context) {
  line_ = token.line;
  if (token.token != GoToken::kError) {
    return Fail(fmt::format("unexpected {} in {}", token.Shown(), context));
  }
  std::string extra;
  if (action_line_ != 0 && action_line_ != token.line) {
    extra = fmt::format(" in action started at {}:{}", name_, action_line_);
    if (token.text.ends_with(" action")) extra.erase(0, std::string_view(" in action").size());
  }
  Fail(token.text + extra);
}

}  // namespace tocsin::formats
