#include "daemon/api/ast_json.h"

#include <deque>
#include <string_view>
#include <vector>

#include "daemon/api/json_text.h"
#include "rules/promql/functions.h"
#include "rules/promql/lexer.h"

namespace tocsin::api {
namespace {

using promql::As;
using promql::Expr;
using promql::ExprPtr;
using promql::TimeShift;

// Writes one object member by member. Upstream's objects have their keys in order,
// and so have ours: whoever calls writes them so.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectWriter() { out_ += '}'; }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  // The place where the value goes.
  std::string& Key(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    AppendJsonString(key, out_);
    out_ += ':';
    return out_;
  }
  void Text(std::string_view key, std::string_view value) { AppendJsonString(value, Key(key)); }
  void Bool(std::string_view key, bool value) { Key(key) += value ? "true" : "false"; }
  void Int(std::string_view key, std::int64_t value) { Key(key) += std::to_string(value); }
  void Null(std::string_view key) { Key(key) += "null"; }
  void Texts(std::string_view key, const std::vector<std::string>& values) {
    AppendJsonStrings(values, Key(key));
  }
  void Node(std::string_view key, const ExprPtr& expr) {
    if (expr) {
      AppendExprJson(*expr, Key(key));
    } else {
      Null(key);
    }
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void AddStartOrEnd(const TimeShift& shift, ObjectWriter& object) {
  switch (shift.at) {
    case TimeShift::At::kStart: object.Text("startOrEnd", "start"); break;
    case TimeShift::At::kEnd: object.Text("startOrEnd", "end"); break;
    default: object.Null("startOrEnd");
  }
}

void AddTimestamp(const TimeShift& shift, ObjectWriter& object) {
  if (shift.at == TimeShift::At::kTime) {
    object.Int("timestamp", shift.at_ms);
  } else {
    object.Null("timestamp");
  }
}

void AddMatchers(const promql::VectorSelector& selector, ObjectWriter& object) {
  std::string& out = object.Key("matchers");
  out += '[';
  for (std::size_t i = 0; i < selector.matchers.size(); ++i) {
    if (i > 0) out += ',';
    ObjectWriter matcher(out);
    matcher.Text("name", selector.matchers[i].name());
    matcher.Text("type", model::MatchOpText(selector.matchers[i].op()));
    matcher.Text("value", selector.matchers[i].value());
  }
  out += ']';
}

void AddAggregate(const promql::AggregateExpr& aggregate, ObjectWriter& object) {
  object.Node("expr", aggregate.expr);
  object.Texts("grouping", aggregate.grouping);
  object.Text("op", promql::AggregateOpText(aggregate.op));
  object.Node("param", aggregate.param);
  object.Text("type", "aggregation");
  object.Bool("without", aggregate.without);
}

// All but what stands left of the operator.
void AddRightSide(const promql::BinaryExpr& binary, ObjectWriter& object) {
  if (binary.matching) {
    ObjectWriter matching(object.Key("matching"));
    matching.Text("card", promql::CardText(binary.matching->card));
    {
      ObjectWriter fill(matching.Key("fillValues"));  // Of an experimental modifier.
      fill.Null("lhs");
      fill.Null("rhs");
    }
    matching.Texts("include", binary.matching->include);
    matching.Texts("labels", binary.matching->labels);
    matching.Bool("on", binary.matching->on);
  } else {
    object.Null("matching");
  }
  object.Text("op", promql::BinaryOpText(binary.op));
  object.Node("rhs", binary.rhs);
  object.Text("type", "binaryExpr");
}

// Opens the objects of a chain one in the other, and closes them from the innermost on.
void AppendChain(const promql::BinaryExpr& top, std::string& out) {
  const std::vector<const promql::BinaryExpr*> chain = promql::ChainOf(top);
  std::deque<ObjectWriter> objects;
  for (const promql::BinaryExpr* node : chain) {
    objects.emplace_back(out).Bool("bool", node->return_bool);
    objects.back().Key("lhs");
  }
  AppendExprJson(*chain.back()->lhs, out);
  for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
    AddRightSide(**node, objects.back());
    objects.pop_back();
  }
}

void AddCall(const promql::CallExpr& call, ObjectWriter& object) {
  std::string& args = object.Key("args");
  args += '[';
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    if (i > 0) args += ',';
    AppendExprJson(*call.args[i], args);
  }
  args += ']';
  {
    ObjectWriter function(object.Key("func"));
    std::vector<std::string> types;
    for (const promql::ValueType type : call.function->arguments) {
      types.emplace_back(promql::ValueTypeName(type));
    }
    function.Texts("argTypes", types);
    function.Text("name", call.name);
    function.Text("returnType", promql::ValueTypeName(call.function->returns));
    function.Int("variadic", call.function->variadic);
  }
  object.Text("type", "call");
}

// A selector of an instant, or of a range if `range_ms` is not negative.
void AddSelector(const promql::VectorSelector& selector, std::int64_t range_ms,
                 ObjectWriter& object) {
  object.Bool("anchored", false);
  AddMatchers(selector, object);
  object.Text("name", selector.name);
  object.Int("offset", selector.shift.offset_ms);
  if (range_ms >= 0) object.Int("range", range_ms);
  object.Bool("smoothed", false);
  AddStartOrEnd(selector.shift, object);
  AddTimestamp(selector.shift, object);
  object.Text("type", range_ms >= 0 ? "matrixSelector" : "vectorSelector");
}

void AddSubquery(const promql::SubqueryExpr& subquery, ObjectWriter& object) {
  object.Node("expr", subquery.expr);
  object.Int("offset", subquery.shift.offset_ms);
  object.Int("range", subquery.range_ms);
  AddStartOrEnd(subquery.shift, object);
  object.Int("step", subquery.step_ms);
  AddTimestamp(subquery.shift, object);
  object.Text("type", "subquery");
}

}  // namespace

void AppendExprJson(const Expr& expr, std::string& out) {
  if (expr.kind == promql::ExprKind::kBinary) {
    return AppendChain(As<promql::BinaryExpr>(expr), out);
  }
  ObjectWriter object(out);
  switch (expr.kind) {
    case promql::ExprKind::kNumber:
      object.Text("type", "numberLiteral");
      object.Text("val", promql::FormatFixed(As<promql::NumberLiteral>(expr).value));
      break;
    case promql::ExprKind::kString:
      object.Text("type", "stringLiteral");
      object.Text("val", As<promql::StringLiteral>(expr).value);
      break;
    case promql::ExprKind::kVectorSelector:
      AddSelector(As<promql::VectorSelector>(expr), -1, object);
      break;
    case promql::ExprKind::kMatrixSelector: {
      const auto& matrix = As<promql::MatrixSelector>(expr);
      AddSelector(As<promql::VectorSelector>(*matrix.selector), matrix.range_ms, object);
      break;
    }
    case promql::ExprKind::kSubquery: AddSubquery(As<promql::SubqueryExpr>(expr), object); break;
    case promql::ExprKind::kUnary: {
      const auto& unary = As<promql::UnaryExpr>(expr);
      object.Node("expr", unary.expr);
      object.Text("op", unary.op == promql::UnaryOp::kMinus ? "-" : "+");
      object.Text("type", "unaryExpr");
      break;
    }
    case promql::ExprKind::kBinary: break;
    case promql::ExprKind::kAggregate: AddAggregate(As<promql::AggregateExpr>(expr), object); break;
    case promql::ExprKind::kCall: AddCall(As<promql::CallExpr>(expr), object); break;
    case promql::ExprKind::kParen:
      object.Node("expr", As<promql::ParenExpr>(expr).expr);
      object.Text("type", "parenExpr");
      break;
  }
}

}  // namespace tocsin::api
