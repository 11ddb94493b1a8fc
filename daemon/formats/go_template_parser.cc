#include "daemon/formats/go_template_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/formats/go_template_builtins.h"
#include "daemon/formats/go_template_literals.h"
#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/go_template_token_stream.h"

namespace tocsin::formats {
namespace {

// How a list of nodes ended.
enum class ListEnd { kEof, kEnd, kElse };

// The grammar, over a stream that ends at the first error.
class Parser : private GoTokenStream {
 public:
  Parser(const std::string& name, std::shared_ptr<const std::string> source,
         const GoFunctions& functions, int max_depth)
      : GoTokenStream(name, *source),
        name_(name),
        source_(std::move(source)),
        functions_(functions),
        max_depth_(max_depth) {}

  Result<std::vector<std::shared_ptr<const GoTemplateTree>>> Run() {
    GoNodePtr root = New(GoNodeKind::kList);
    trees_.push_back(nullptr);  // The text's own tree, in front of its definitions.
    while (Peek().token != GoToken::kEof) {
      if (Peek().token == GoToken::kLeftDelim && PeekInAction() == GoToken::kDefine) {
        Definition();
        continue;
      }
      auto end = ListEnd::kEof;
      GoNodePtr node = TextOrAction(end);
      if (end != ListEnd::kEof) {
        Fail(end == ListEnd::kEnd ? "unexpected {{end}}" : "unexpected {{else}}");
      } else if (node) {
        root->children.push_back(std::move(node));
      }
    }
    if (error()) return *error();
    trees_[0] = Tree(name_, std::move(root));
    return std::move(trees_);
  }

 private:
  GoNodePtr New(GoNodeKind kind) const { return New(kind, Peek()); }
  static GoNodePtr New(GoNodeKind kind, const GoLexeme& at) {
    auto node = std::make_unique<GoNode>();
    node->kind = kind;
    node->position = at.position;
    node->line = at.line;
    return node;
  }

  // Keeps nested syntax within bounds; false after Fail.
  bool Enter() {
    if (++depth_ <= max_depth_) return true;
    Fail(fmt::format("nested more than {} deep", max_depth_));
    return false;
  }
  void Leave() { --depth_; }

  std::shared_ptr<const GoTemplateTree> Tree(std::string name, GoNodePtr root) const {
    auto tree = std::make_shared<GoTemplateTree>();
    tree->name = std::move(name);
    tree->parse_name = name_;
    tree->source = source_;
    tree->root = std::move(root);
    return tree;
  }

  // -- Lists and actions --

  // Null with `end` set at {{end}} and {{else}}, null after an error.
  GoNodePtr TextOrAction(ListEnd& end) {
    const GoLexeme token = NextNonSpace();
    if (token.token == GoToken::kText) {
      GoNodePtr node = New(GoNodeKind::kText, token);
      node->text = token.text;
      return node;
    }
    if (token.token != GoToken::kLeftDelim) {
      Unexpected(token, "input");
      return nullptr;
    }
    BeginAction(token.line);
    GoNodePtr node = Action(end);
    EndAction();
    return node;
  }

  GoNodePtr Action(ListEnd& end) {
    const GoLexeme token = PeekNonSpace();
    switch (token.token) {
      case GoToken::kBlock: return Block();
      case GoToken::kBreak:
      case GoToken::kContinue: return LoopJump();
      case GoToken::kElse:
        Next();
        end = ListEnd::kElse;
        if (PeekNonSpace().token != GoToken::kIf && PeekNonSpace().token != GoToken::kWith) {
          Expect(GoToken::kRightDelim, "else");
        }
        return nullptr;
      case GoToken::kEnd:
        Next();
        end = ListEnd::kEnd;
        Expect(GoToken::kRightDelim, "end");
        return nullptr;
      case GoToken::kIf: return Control(GoNodeKind::kIf, "if");
      case GoToken::kRange: return Control(GoNodeKind::kRange, "range");
      case GoToken::kWith: return Control(GoNodeKind::kWith, "with");
      case GoToken::kTemplate: return TemplateCall();
      default: break;
    }
    GoNodePtr node = New(GoNodeKind::kAction, token);
    node->pipe = Pipeline("command", GoToken::kRightDelim);
    return node;
  }

  ListEnd List(GoNode& list) {
    auto end = ListEnd::kEof;
    while (PeekNonSpace().token != GoToken::kEof) {
      GoNodePtr node = TextOrAction(end);
      if (end != ListEnd::kEof) return end;
      if (node) list.children.push_back(std::move(node));
    }
    FailHere("unexpected EOF");
    return ListEnd::kEof;
  }

  GoNodePtr LoopJump() {
    const GoLexeme token = Next();
    const bool is_break = token.token == GoToken::kBreak;
    const std::string shown = "{{" + token.text + "}}";
    Expect(GoToken::kRightDelim, shown);
    if (range_depth_ == 0) Fail(shown + " outside {{range}}");
    return New(is_break ? GoNodeKind::kBreak : GoNodeKind::kContinue, token);
  }

  GoNodePtr Control(GoNodeKind kind, std::string_view context) {
    GoNodePtr node = New(kind, Next());
    const std::size_t mark = variables_.size();
    if (!Enter()) return node;
    node->pipe = Pipeline(context, GoToken::kRightDelim);
    const int loop = kind == GoNodeKind::kRange ? 1 : 0;
    range_depth_ += loop;
    node->list = New(GoNodeKind::kList);
    const ListEnd end = List(*node->list);
    range_depth_ -= loop;
    if (end == ListEnd::kElse) {
      node->else_list = New(GoNodeKind::kList);
      const GoToken next = Peek().token;
      const bool chained = (kind == GoNodeKind::kIf && next == GoToken::kIf) ||
                           (kind == GoNodeKind::kWith && next == GoToken::kWith);
      if (chained) {
        // The inner one takes the {{end}} of both.
        node->else_list->children.push_back(Control(kind, context));
      } else if (List(*node->else_list) == ListEnd::kElse) {
        Fail("expected end; found {{else}}");
      }
    }
    variables_.resize(mark);
    Leave();
    return node;
  }

  // -- Definitions --

  std::string TemplateName(std::string_view context) {
    const GoLexeme token = NextNonSpace();
    if (token.token != GoToken::kString && token.token != GoToken::kRawString) {
      Unexpected(token, context);
      return {};
    }
    auto name = UnquoteGo(token.text);
    if (!name) Fail("invalid syntax");
    return name.value_or("");
  }

  // The body of a define or a block up to its {{end}}, with variables of its own.
  void Body(std::string name, std::string_view context) {
    std::vector<std::string> outer = std::exchange(variables_, {"$"});
    const int outer_range = std::exchange(range_depth_, 0);
    GoNodePtr root = New(GoNodeKind::kList);
    if (Enter()) {
      if (List(*root) == ListEnd::kElse)
        Fail(fmt::format("unexpected {{{{else}}}} in {}", context));
      Leave();
    }
    variables_ = std::move(outer);
    range_depth_ = outer_range;
    for (const auto& tree : trees_) {
      if (tree && tree->name == name && !tree->root->children.empty() && !root->children.empty()) {
        return Fail(fmt::format("multiple definition of template {}", GoQuote(name)));
      }
    }
    trees_.push_back(Tree(std::move(name), std::move(root)));
  }

  void Definition() {
    BeginAction(Next().line);
    NextNonSpace();
    std::string name = TemplateName("define clause");
    Expect(GoToken::kRightDelim, "define clause");
    EndAction();
    Body(std::move(name), "define clause");
  }

  GoNodePtr Block() {
    Next();
    GoNodePtr node = New(GoNodeKind::kTemplate, PeekNonSpace());
    node->text = TemplateName("block clause");
    node->pipe = Pipeline("block clause", GoToken::kRightDelim);
    Body(node->text, "block clause");
    return node;
  }

  GoNodePtr TemplateCall() {
    Next();
    GoNodePtr node = New(GoNodeKind::kTemplate, PeekNonSpace());
    node->text = TemplateName("template clause");
    if (PeekNonSpace().token == GoToken::kRightDelim) {
      Next();
    } else {
      node->pipe = Pipeline("template clause", GoToken::kRightDelim);
    }
    return node;
  }

  // -- Pipelines --

  // `$x :=`, `$x =`, and in a range `$i, $x :=`.
  void Declarations(GoNode& pipe, std::string_view context) {
    while (PeekNonSpace().token == GoToken::kVariable) {
      const std::size_t start = Mark();
      const GoLexeme variable = Next();
      const GoToken next = PeekNonSpace().token;
      if (next == GoToken::kAssign || next == GoToken::kDeclare) {
        Next();
        pipe.is_assignment = next == GoToken::kAssign;
        Declare(pipe, variable);
        return;
      }
      if (next != GoToken::kComma) {
        BackTo(start);
        return;
      }
      Next();
      Declare(pipe, variable);
      if (context != "range" || pipe.variables.size() > 1) {
        return Fail(fmt::format("too many declarations in {}", context));
      }
      if (PeekNonSpace().token != GoToken::kVariable) {
        return Fail("range can only initialize variables");
      }
    }
  }

  void Declare(GoNode& pipe, const GoLexeme& variable) {
    if (pipe.is_assignment) CheckVariable(variable.text);
    pipe.variables.push_back(variable.text);
    variables_.push_back(variable.text);
  }

  void CheckVariable(const std::string& name) {
    if (std::find(variables_.begin(), variables_.end(), name) == variables_.end()) {
      Fail(fmt::format("undefined variable {}", GoQuote(name)));
    }
  }

  GoNodePtr Pipeline(std::string_view context, GoToken end) {
    PeekNonSpace();
    GoNodePtr pipe = New(GoNodeKind::kPipe);
    if (!Enter()) return pipe;
    Declarations(*pipe, context);
    while (!error()) {
      const GoLexeme token = PeekNonSpace();
      if (token.token == end) {
        Next();
        CheckPipeline(*pipe, context);
        break;
      }
      if (!StartsOperand(token.token)) {
        Unexpected(NextNonSpace(), context);
        break;
      }
      pipe->children.push_back(Command());
    }
    Leave();
    return pipe;
  }

  void CheckPipeline(const GoNode& pipe, std::string_view context) {
    if (pipe.children.empty()) return Fail(fmt::format("missing value for {}", context));
    for (std::size_t i = 1; i < pipe.children.size(); ++i) {
      const GoNodeKind kind = pipe.children[i]->children[0]->kind;
      if (kind == GoNodeKind::kConstant || kind == GoNodeKind::kDot || kind == GoNodeKind::kNil) {
        return Fail(fmt::format("non executable command in pipeline stage {}", i + 1));
      }
    }
  }

  static bool StartsOperand(GoToken token) {
    switch (token) {
      case GoToken::kBool:
      case GoToken::kChar:
      case GoToken::kDot:
      case GoToken::kField:
      case GoToken::kIdentifier:
      case GoToken::kNumber:
      case GoToken::kNil:
      case GoToken::kRawString:
      case GoToken::kString:
      case GoToken::kVariable:
      case GoToken::kLeftParen: return true;
      default: return false;
    }
  }

  GoNodePtr Command() {
    GoNodePtr command = New(GoNodeKind::kCommand);
    for (;;) {
      PeekNonSpace();
      GoNodePtr operand = Operand();
      if (operand) command->children.push_back(std::move(operand));
      const GoToken next = Peek().token;
      if (next == GoToken::kSpace) {
        Next();
        continue;
      }
      if (next == GoToken::kPipe) {
        Next();
        if (!StartsOperand(PeekNonSpace().token)) Fail("missing value for command");
      } else if (next != GoToken::kRightDelim && next != GoToken::kRightParen) {
        Unexpected(Next(), "operand");
      }
      break;
    }
    if (command->children.empty()) Fail("empty command");
    return command;
  }

  // A term and the fields behind it: (pipeline).Field, $x.Field.
  GoNodePtr Operand() {
    GoNodePtr node = Term();
    if (!node || Peek().token != GoToken::kField) return node;
    std::vector<std::string> names;
    while (Peek().token == GoToken::kField) names.push_back(Next().text.substr(1));
    switch (node->kind) {
      case GoNodeKind::kField:
      case GoNodeKind::kVariable:
        node->names.insert(node->names.end(), names.begin(), names.end());
        return node;
      case GoNodeKind::kConstant:
      case GoNodeKind::kNil:
      case GoNodeKind::kDot:
        Fail(fmt::format("unexpected . after term {}", GoQuote(node->Text())));
        return node;
      default: break;
    }
    GoNodePtr chain = std::make_unique<GoNode>();
    chain->kind = GoNodeKind::kChain;
    chain->position = node->position;
    chain->line = node->line;
    chain->names = std::move(names);
    chain->children.push_back(std::move(node));
    return chain;
  }

  GoNodePtr Term() {
    if (!StartsOperand(PeekNonSpace().token)) return nullptr;
    const GoLexeme token = Next();
    switch (token.token) {
      case GoToken::kIdentifier: {
        if (functions_.count(token.text) == 0 && !IsGoBuiltin(token.text)) {
          Fail(fmt::format("function {} not defined", GoQuote(token.text)));
        }
        GoNodePtr node = New(GoNodeKind::kIdentifier, token);
        node->text = token.text;
        return node;
      }
      case GoToken::kDot: return New(GoNodeKind::kDot, token);
      case GoToken::kNil: return New(GoNodeKind::kNil, token);
      case GoToken::kVariable: {
        CheckVariable(token.text);
        GoNodePtr node = New(GoNodeKind::kVariable, token);
        node->names = {token.text};
        return node;
      }
      case GoToken::kField: {
        GoNodePtr node = New(GoNodeKind::kField, token);
        node->names = {token.text.substr(1)};
        return node;
      }
      case GoToken::kLeftParen: return Pipeline("parenthesized pipeline", GoToken::kRightParen);
      default: return Constant(token);
    }
  }

  GoNodePtr Constant(const GoLexeme& token) {
    GoNodePtr node = New(GoNodeKind::kConstant, token);
    node->text = token.text;
    std::optional<GoValue> value;
    if (token.token == GoToken::kBool) {
      value = GoValue::Bool(token.text == "true");
    } else if (token.token == GoToken::kNumber) {
      value = ParseGoNumber(token.text);
      if (!value) Fail(fmt::format("bad number syntax: {}", GoQuote(token.text)));
    } else if (token.token == GoToken::kChar) {
      value = ParseGoRune(token.text);
      if (!value) Fail(fmt::format("malformed character constant: {}", token.text));
    } else {
      const auto text = UnquoteGo(token.text);
      if (!text) Fail("invalid syntax");
      value = GoValue::String(text.value_or(""));
    }
    node->constant = value.value_or(GoValue());
    return node;
  }

  const std::string& name_;
  std::shared_ptr<const std::string> source_;
  const GoFunctions& functions_;
  const int max_depth_;
  int depth_ = 0;
  int range_depth_ = 0;
  std::vector<std::string> variables_{"$"};
  std::vector<std::shared_ptr<const GoTemplateTree>> trees_;
};

}  // namespace

Result<std::vector<std::shared_ptr<const GoTemplateTree>>> ParseGoTemplate(
    const std::string& name, std::string_view text, const GoFunctions& functions, int max_depth) {
  return Parser(name, std::make_shared<const std::string>(text), functions, max_depth).Run();
}

}  // namespace tocsin::formats
