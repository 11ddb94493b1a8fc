#include "daemon/formats/go_template_exec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/formats/go_template.h"
#include "daemon/formats/go_template_arguments.h"
#include "daemon/formats/go_template_builtins.h"
#include "daemon/formats/go_template_html.h"
#include "daemon/formats/go_template_printf.h"
#include "daemon/formats/go_template_time.h"

namespace tocsin::formats {
namespace {

using Kind = GoValue::Kind;
using NodeKind = GoNodeKind;

enum class Flow { kOn, kBreak, kContinue };

const GoFunction* FindMethod(const GoValue& receiver, const std::string& name) {
  const GoFunctions* methods = nullptr;
  if (const auto* type = receiver.type()) methods = &type->methods;
  if (receiver.kind() == Kind::kTime) methods = &GoTimeMethods();
  if (receiver.kind() == Kind::kDuration) methods = &GoDurationMethods();
  if (methods == nullptr) return nullptr;
  const auto found = methods->find(name);
  return found == methods->end() ? nullptr : &found->second;
}

// What is shared by a template and those it calls.
struct Run {
  const GoTemplateTrees& trees;
  const GoFunctions& functions;
  Escaping escaping = Escaping::kNone;
  std::string out;
  std::int64_t steps = 0;
};

// Executes one template; a {{ template }} is another Frame on the same Run.
class Frame {
 public:
  Frame(Run& run, const GoTemplateTree& tree, const GoValue& data, int depth)
      : run_(run), tree_(tree), depth_(depth), variables_{{"$", data}} {}

  Result<Flow> Walk(const GoValue& dot, const GoNode& node) {
    TOCSIN_RETURN_IF_ERROR(CountStep(node));
    switch (node.kind) {
      case NodeKind::kList:
        for (const auto& child : node.children) {
          TOCSIN_ASSIGN_OR_RETURN(const Flow flow, Walk(dot, *child));
          if (flow != Flow::kOn) return flow;
        }
        return Flow::kOn;
      case NodeKind::kText: return Write(node, node.text);
      case NodeKind::kAction: {
        TOCSIN_ASSIGN_OR_RETURN(const GoValue value, Pipeline(dot, *node.pipe));
        if (!node.pipe->variables.empty()) return Flow::kOn;
        if (run_.escaping == Escaping::kNone || value.is_html()) return Write(node, value.Text());
        return Write(node, HtmlValue(value.Text(), run_.out));
      }
      case NodeKind::kIf:
      case NodeKind::kWith: return IfOrWith(dot, node);
      case NodeKind::kRange: return Range(dot, node);
      case NodeKind::kTemplate: return Call(dot, node);
      case NodeKind::kBreak: return Flow::kBreak;
      case NodeKind::kContinue: return Flow::kContinue;
      default: return Fail(node, "unknown node");
    }
  }

 private:
  using Operands = std::span<const GoNodePtr>;

  Error Fail(const GoNode& node, const std::string& message,
             ErrorCode code = ErrorCode::kInvalidArgument) const {
    const std::string_view before =
        std::string_view(*tree_.source).substr(0, static_cast<std::size_t>(node.position));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto last_break = before.rfind('\n');
    const auto column =
        last_break == std::string_view::npos ? before.size() : before.size() - last_break - 1;
    return Error{code, fmt::format("template: {}:{}:{}: executing {} at <{}>: {}", tree_.parse_name,
                                   line, column, GoQuote(tree_.name), node.Text(), message)};
  }

  Result<> CountStep(const GoNode& node) {
    if (++run_.steps <= Template::kMaxSteps) return {};
    return Fail(node, fmt::format("more than {} steps", Template::kMaxSteps),
                ErrorCode::kResourceExhausted);
  }

  Result<Flow> Write(const GoNode& node, std::string_view text) {
    if (run_.out.size() + text.size() > Template::kMaxOutputBytes) {
      return Fail(node, fmt::format("output of more than {} bytes", Template::kMaxOutputBytes),
                  ErrorCode::kResourceExhausted);
    }
    run_.out += text;
    return Flow::kOn;
  }

  // -- Control --

  Result<Flow> IfOrWith(const GoValue& dot, const GoNode& node) {
    const std::size_t mark = variables_.size();
    TOCSIN_ASSIGN_OR_RETURN(const GoValue value, Pipeline(dot, *node.pipe));
    Result<Flow> flow = Flow::kOn;
    if (value.Truth()) {
      flow = Walk(node.kind == NodeKind::kWith ? value : dot, *node.list);
    } else if (node.else_list) {
      flow = Walk(dot, *node.else_list);
    }
    variables_.resize(mark);
    return flow;
  }

  Result<Flow> Range(const GoValue& dot, const GoNode& node) {
    const std::size_t mark = variables_.size();
    TOCSIN_ASSIGN_OR_RETURN(const GoValue value, Pipeline(dot, *node.pipe));
    bool any = false;
    Flow end = Flow::kOn;
    // Returns false when the loop is over.
    const auto once = [&](const GoValue& index, const GoValue& element) -> Result<bool> {
      any = true;
      const std::size_t inner = variables_.size();
      SetRangeVariables(*node.pipe, index, element);
      TOCSIN_ASSIGN_OR_RETURN(end, Walk(element, *node.list));
      variables_.resize(inner);
      return end != Flow::kBreak;
    };
    TOCSIN_RETURN_IF_ERROR(ForEach(node, value, once));
    Result<Flow> flow = Flow::kOn;
    if (!any && node.else_list) flow = Walk(dot, *node.else_list);
    variables_.resize(mark);
    return flow;
  }

  using Once = std::function<Result<bool>(const GoValue& index, const GoValue& element)>;

  Result<> ForEach(const GoNode& node, const GoValue& value, const Once& once) {
    switch (value.kind()) {
      case Kind::kNil: return {};
      case Kind::kList:
        for (std::size_t i = 0; i < value.AsList().size(); ++i) {
          TOCSIN_ASSIGN_OR_RETURN(
              const bool more, once(GoValue::Int(static_cast<std::int64_t>(i)), value.AsList()[i]));
          if (!more) break;
        }
        return {};
      case Kind::kMap:
        for (const auto& [key, element] : value.AsMap()) {
          TOCSIN_ASSIGN_OR_RETURN(const bool more, once(GoValue::String(key), element));
          if (!more) break;
        }
        return {};
      case Kind::kInt:
        for (std::int64_t i = 0; i < value.AsInt(); ++i) {
          TOCSIN_ASSIGN_OR_RETURN(const bool more, once(GoValue::Int(i), GoValue::Int(i)));
          if (!more) break;
        }
        return {};
      default: return Fail(*node.pipe, "range can't iterate over " + value.Text());
    }
  }

  void SetRangeVariables(const GoNode& pipe, const GoValue& index, const GoValue& element) {
    const auto& names = pipe.variables;
    if (names.empty()) return;
    const auto set = [&](const std::string& name, const GoValue& value) {
      if (pipe.is_assignment) {
        Assign(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    };
    if (names.size() > 1) set(names[0], index);
    set(names.back(), element);
  }

  Result<Flow> Call(const GoValue& dot, const GoNode& node) {
    const auto found = run_.trees.find(node.text);
    if (found == run_.trees.end()) {
      return Fail(node, fmt::format("template {} not defined", GoQuote(node.text)));
    }
    if (depth_ + 1 >= Template::kMaxDepth) {
      return Fail(node, fmt::format("exceeded maximum template depth ({})", Template::kMaxDepth),
                  ErrorCode::kResourceExhausted);
    }
    GoValue data;
    if (node.pipe) {
      TOCSIN_ASSIGN_OR_RETURN(data, Pipeline(dot, *node.pipe));
    }
    Frame callee(run_, *found->second, data, depth_ + 1);
    TOCSIN_RETURN_IF_ERROR(callee.Walk(data, *found->second->root));
    return Flow::kOn;
  }

  // -- Variables --

  const GoValue* Find(const std::string& name) const {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first == name) return &it->second;
    }
    return nullptr;
  }

  void Assign(const std::string& name, const GoValue& value) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first != name) continue;
      it->second = value;
      return;
    }
  }

  // -- Expressions --

  Result<GoValue> Pipeline(const GoValue& dot, const GoNode& pipe) {
    std::optional<GoValue> value;
    for (const auto& command : pipe.children) {
      TOCSIN_ASSIGN_OR_RETURN(value, Command(dot, *command, value ? &*value : nullptr));
    }
    GoValue out = value.value_or(GoValue());
    for (const auto& name : pipe.variables) {
      if (pipe.is_assignment) {
        Assign(name, out);
      } else {
        variables_.emplace_back(name, out);
      }
    }
    return out;
  }

  // `final` is what came through the pipe, or null.
  Result<GoValue> Command(const GoValue& dot, const GoNode& command, const GoValue* final) {
    TOCSIN_RETURN_IF_ERROR(CountStep(command));
    const GoNode& first = *command.children[0];
    const Operands operands(command.children);
    switch (first.kind) {
      case NodeKind::kField: return FieldChain(dot, dot, first, first.names, 0, operands, final);
      case NodeKind::kChain: {
        TOCSIN_ASSIGN_OR_RETURN(const GoValue base, Operand(dot, *first.children[0]));
        return FieldChain(dot, base, first, first.names, 0, operands, final);
      }
      case NodeKind::kIdentifier: return Function(dot, first, command, operands, final);
      case NodeKind::kVariable:
        if (first.names.size() > 1) {
          return FieldChain(dot, Variable(first), first, first.names, 1, operands, final);
        }
        break;
      default: break;
    }
    if (operands.size() > 1 || final != nullptr) {
      return Fail(first, fmt::format("can't give argument to non-function {}", first.Text()));
    }
    if (first.kind == NodeKind::kNil) return Fail(first, "nil is not a command");
    return Operand(dot, first);
  }

  GoValue Variable(const GoNode& node) const {
    const GoValue* value = Find(node.names[0]);
    return value ? *value : GoValue();
  }

  // A node as an argument.
  Result<GoValue> Operand(const GoValue& dot, const GoNode& node) {
    switch (node.kind) {
      case NodeKind::kDot: return dot;
      case NodeKind::kNil: return GoValue();
      case NodeKind::kConstant: return node.constant;
      case NodeKind::kPipe: return Pipeline(dot, node);
      case NodeKind::kIdentifier: return Function(dot, node, node, {}, nullptr);
      case NodeKind::kField: return FieldChain(dot, dot, node, node.names, 0, {}, nullptr);
      case NodeKind::kVariable:
        if (node.names.size() == 1) return Variable(node);
        return FieldChain(dot, Variable(node), node, node.names, 1, {}, nullptr);
      case NodeKind::kChain: {
        TOCSIN_ASSIGN_OR_RETURN(const GoValue base, Operand(dot, *node.children[0]));
        return FieldChain(dot, base, node, node.names, 0, {}, nullptr);
      }
      default: return Fail(node, fmt::format("can't handle {} as an argument", node.Text()));
    }
  }

  // names[from...] of `receiver`; only the last of them takes arguments.
  Result<GoValue> FieldChain(const GoValue& dot, GoValue receiver, const GoNode& node,
                             const std::vector<std::string>& names, std::size_t from,
                             Operands operands, const GoValue* final) {
    for (std::size_t i = from; i + 1 < names.size(); ++i) {
      TOCSIN_ASSIGN_OR_RETURN(receiver, Field(dot, receiver, node, names[i], {}, nullptr));
    }
    return Field(dot, receiver, node, names.back(), operands, final);
  }

  Result<GoValue> Field(const GoValue& dot, const GoValue& receiver, const GoNode& node,
                        const std::string& name, Operands operands, const GoValue* final) {
    if (const GoFunction* method = FindMethod(receiver, name)) {
      return Invoke(dot, node, node, name, *method, &receiver, operands, final);
    }
    const bool has_arguments = operands.size() > 1 || final != nullptr;
    switch (receiver.kind()) {
      case Kind::kNil: return GoValue();  // missingkey=zero
      case Kind::kStruct:
        if (const GoValue* field = receiver.Field(name)) {
          if (!has_arguments) return *field;
          return Fail(node, name + " has arguments but cannot be invoked as function");
        }
        break;
      case Kind::kMap: {
        if (has_arguments) return Fail(node, name + " is not a method but has arguments");
        const auto found = receiver.AsMap().find(name);
        return found == receiver.AsMap().end() ? receiver.MissingOfMap() : found->second;
      }
      default: break;
    }
    return Fail(node, fmt::format("can't evaluate field {} in type {}", name, receiver.TypeName()));
  }

  // `node` names the function, `call` is the whole command.
  Result<GoValue> Function(const GoValue& dot, const GoNode& node, const GoNode& call,
                           Operands operands, const GoValue* final) {
    if (node.text == "and" || node.text == "or") return AndOr(dot, node, operands, final);
    auto found = run_.functions.find(node.text);
    if (found == run_.functions.end()) {
      found = GoBuiltins().find(node.text);
      if (found == GoBuiltins().end()) {
        return Fail(node, fmt::format("{} is not a defined function", GoQuote(node.text)));
      }
    }
    return Invoke(dot, node, call, node.text, found->second, nullptr, operands, final);
  }

  // The first false (and) or true (or) argument; those behind it are not evaluated.
  Result<GoValue> AndOr(const GoValue& dot, const GoNode& node, Operands operands,
                        const GoValue* final) {
    const bool stop_at = node.text == "or";
    GoValue value;
    bool any = false;
    for (std::size_t i = 1; i < operands.size(); ++i) {
      TOCSIN_ASSIGN_OR_RETURN(value, Operand(dot, *operands[i]));
      any = true;
      if (value.Truth() == stop_at) return value;
    }
    if (final != nullptr) return *final;
    if (any) return value;
    return Fail(node, fmt::format("wrong number of args for {}: want at least 1 got 0", node.text));
  }

  // Calls a function, or a method if `receiver` is given. operands[0] is the node
  // that names it.
  Result<GoValue> Invoke(const GoValue& dot, const GoNode& node, const GoNode& call,
                         const std::string& name, const GoFunction& function,
                         const GoValue* receiver, Operands operands, const GoValue* final) {
    const Operands given = operands.empty() ? operands : operands.subspan(1);
    const std::size_t count = given.size() + (final != nullptr ? 1 : 0);
    const std::size_t wanted = function.params.size();
    if (function.variadic && count + 1 < wanted) {
      return Fail(node, fmt::format("wrong number of args for {}: want at least {} got {}", name,
                                    wanted - 1, count));
    }
    if (!function.variadic && count != wanted) {
      return Fail(node,
                  fmt::format("wrong number of args for {}: want {} got {}", name, wanted, count));
    }
    std::vector<GoValue> args;
    args.reserve(count + 1);
    if (receiver != nullptr) args.push_back(*receiver);
    for (std::size_t i = 0; i < count; ++i) {
      const GoType type = function.params[std::min(i, wanted - 1)];
      const GoNode* operand = i < given.size() ? given[i].get() : nullptr;
      GoValue value;
      if (operand != nullptr) {
        TOCSIN_ASSIGN_OR_RETURN(value, Operand(dot, *operand));
      } else {
        value = *final;
      }
      auto fitted = FitGoArgument(value, type);
      if (!fitted) return WrongType(node, operand, value, type);
      args.push_back(std::move(*fitted));
    }
    auto result = function.call(args);
    if (result.ok()) return result;
    return Fail(call, fmt::format("error calling {}: {}", name, result.error().message),
                result.error().code);
  }

  Error WrongType(const GoNode& node, const GoNode* operand, const GoValue& value,
                  GoType type) const {
    const bool literal = operand != nullptr && operand->kind == NodeKind::kConstant;
    const bool nil = operand != nullptr && operand->kind == NodeKind::kNil;
    return Fail(operand != nullptr ? *operand : node,
                MisfitText(value, type, literal ? &operand->text : nullptr, nil));
  }

  Run& run_;
  const GoTemplateTree& tree_;
  const int depth_;
  std::vector<std::pair<std::string, GoValue>> variables_;
};

}  // namespace

Result<std::string> ExecuteGoTemplate(const GoTemplateTree& tree, const GoTemplateTrees& trees,
                                      const GoFunctions& functions, const GoValue& data,
                                      Escaping escaping) {
  Run run{trees, functions, escaping, {}, 0};
  Frame frame(run, tree, data, 0);
  TOCSIN_RETURN_IF_ERROR(frame.Walk(data, *tree.root));
  return std::move(run.out);
}

}  // namespace tocsin::formats
