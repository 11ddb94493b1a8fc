// Trees back to text, as Prometheus prints them: on one line, or broken and indented.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/text.h"
#include "rules/promql/ast.h"
#include "rules/promql/lexer.h"

namespace tocsin::promql {
namespace {

// A node that is no longer than this is printed on one line.
constexpr std::size_t kPrettyColumns = 100;
constexpr std::size_t kMaxIndentation = 32 << 20;  // Bytes, of a whole tree.

std::string DurationText(std::int64_t ms) { return FormatDuration(Millis(ms)); }

std::string LabelList(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) {
    if (!text.empty()) text += ", ";
    text += model::IsPlainLabelName(label) ? label : GoQuote(label);
  }
  return text;
}

std::string ShiftText(const TimeShift& shift) {
  std::string text;
  switch (shift.at) {
    case TimeShift::At::kNone: break;
    case TimeShift::At::kTime:
      text += fmt::format(" @ {:.3f}", static_cast<double>(shift.at_ms) / 1000);
      break;
    case TimeShift::At::kStart: text += " @ start()"; break;
    case TimeShift::At::kEnd: text += " @ end()"; break;
  }
  if (shift.offset_ms > 0) text += " offset " + DurationText(shift.offset_ms);
  if (shift.offset_ms < 0) text += " offset -" + DurationText(-shift.offset_ms);
  return text;
}

std::string MatcherText(const model::Matcher& matcher) {
  const std::string name =
      model::IsPlainLabelName(matcher.name()) ? matcher.name() : GoQuote(matcher.name());
  return name + std::string(model::MatchOpText(matcher.op())) + GoQuote(matcher.value());
}

std::string SelectorText(const VectorSelector& selector) {
  std::vector<std::string> matchers;
  for (const model::Matcher& matcher : selector.matchers) {
    const bool is_name = matcher.name() == model::kMetricName &&
                         matcher.op() == model::MatchOp::kEqual &&
                         matcher.value() == selector.name && !selector.name.empty();
    if (!is_name) matchers.push_back(MatcherText(matcher));
  }
  if (matchers.empty()) return selector.name.empty() ? "{}" : selector.name;
  std::sort(matchers.begin(), matchers.end());
  return fmt::format("{}{{{}}}", selector.name, fmt::join(matchers, ","));
}

std::string RangeText(const MatrixSelector& matrix) {
  return fmt::format("[{}]", DurationText(matrix.range_ms)) +
         ShiftText(As<VectorSelector>(*matrix.selector).shift);
}

std::string SubqueryText(const SubqueryExpr& subquery) {
  return fmt::format("[{}:{}]{}", DurationText(subquery.range_ms),
                     subquery.step_ms > 0 ? DurationText(subquery.step_ms) : "",
                     ShiftText(subquery.shift));
}

std::string NumberText(const NumberLiteral& number) {
  if (!number.is_duration) return FormatFixed(number.value);
  const auto ms = static_cast<std::int64_t>(std::llround(std::abs(number.value) * 1000));
  return (number.value < 0 ? "-" : "") + DurationText(ms);
}

std::string AggregateHead(const AggregateExpr& aggregate) {
  std::string text(AggregateOpText(aggregate.op));
  if (aggregate.without) return text + fmt::format(" without ({}) ", LabelList(aggregate.grouping));
  if (aggregate.grouping.empty()) return text;
  return text + fmt::format(" by ({}) ", LabelList(aggregate.grouping));
}

std::string OperatorText(const BinaryExpr& binary) {
  std::string text(BinaryOpText(binary.op));
  if (binary.return_bool) text += " bool";
  if (!binary.matching) return text;
  const VectorMatching& matching = *binary.matching;
  const bool grouped = matching.card == VectorMatching::Card::kManyToOne ||
                       matching.card == VectorMatching::Card::kOneToMany;
  if (!matching.labels.empty() || matching.on || grouped) {
    text += fmt::format(" {} ({})", matching.on ? "on" : "ignoring", LabelList(matching.labels));
  }
  if (grouped) {
    const bool left = matching.card == VectorMatching::Card::kManyToOne;
    text += fmt::format(" group_{} ({})", left ? "left" : "right", LabelList(matching.include));
  }
  return text;
}

// ` + b`: an operator and what stands right of it.
std::string RightSide(const BinaryExpr& binary) {
  return fmt::format(" {} {}", OperatorText(binary), Text(*binary.rhs));
}

// Breaks a tree over lines. Each operator of a chain indents all before it: what would be
// more indentation than kMaxIndentation is left out, and is_too_long() says so.
class Pretty {
 public:
  std::string Of(const Expr& expr, int level);
  bool is_too_long() const { return indentation_ > kMaxIndentation; }

 private:
  std::string Indentation(int level) {
    indentation_ += static_cast<std::size_t>(level) * 2;
    return is_too_long() ? "" : std::string(static_cast<std::size_t>(level) * 2, ' ');
  }

  std::string List(const std::vector<ExprPtr>& items, int level) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
      text += Of(*items[i], level) + (i + 1 < items.size() ? ",\n" : "\n");
    }
    return text;
  }

  // The operands of the lowest operators stay on one line as long as they fit.
  std::string Chain(const BinaryExpr& top, int level) {
    const std::vector<const BinaryExpr*> chain = ChainOf(top);
    std::string text = Text(*chain.back()->lhs);
    std::size_t broken = chain.size();
    for (; broken > 0; --broken) {
      std::string longer = text + RightSide(*chain[broken - 1]);
      if (longer.size() > kPrettyColumns) break;
      text = std::move(longer);
    }
    const int lowest = level + static_cast<int>(broken);
    text = broken == chain.size() ? Of(*chain.back()->lhs, lowest) : Indentation(lowest) + text;
    for (std::size_t i = broken; i-- > 0;) {
      const int at = level + static_cast<int>(i);
      text += '\n' + Indentation(at) + OperatorText(*chain[i]) + '\n';
      text += Of(*chain[i]->rhs, at + 1);
    }
    return text;
  }

  std::size_t indentation_ = 0;
};

std::string Pretty::Of(const Expr& expr, int level) {
  const std::string flat = Text(expr);
  // Upstream leaves a subquery that fits where the line begins.
  if (flat.size() <= kPrettyColumns && expr.kind == ExprKind::kSubquery) return flat;
  if (expr.kind == ExprKind::kBinary && flat.size() > kPrettyColumns) {
    return Chain(As<BinaryExpr>(expr), level);
  }
  const std::string indent = Indentation(level);
  if (flat.size() <= kPrettyColumns) return indent + flat;
  switch (expr.kind) {
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      return indent + AggregateHead(aggregate) + "(\n" + List(Children(expr), level + 1) + indent +
             ")";
    }
    case ExprKind::kCall:
      return indent + As<CallExpr>(expr).name + "(\n" + List(Children(expr), level + 1) + indent +
             ")";
    case ExprKind::kParen:
      return indent + "(\n" + Of(*As<ParenExpr>(expr).expr, level + 1) + "\n" + indent + ")";
    case ExprKind::kSubquery: {
      const auto& subquery = As<SubqueryExpr>(expr);
      return Of(*subquery.expr, level) + SubqueryText(subquery);
    }
    case ExprKind::kUnary: {
      const std::string inner = Of(*As<UnaryExpr>(expr).expr, level);
      return indent + (As<UnaryExpr>(expr).op == UnaryOp::kMinus ? "-" : "+") +
             std::string(TrimSpace(inner));
    }
    default: return indent + flat;
  }
}

}  // namespace

std::string Text(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber: return NumberText(As<NumberLiteral>(expr));
    case ExprKind::kString: return GoQuote(As<StringLiteral>(expr).value);
    case ExprKind::kVectorSelector: {
      const auto& selector = As<VectorSelector>(expr);
      return SelectorText(selector) + ShiftText(selector.shift);
    }
    case ExprKind::kMatrixSelector: {
      const auto& matrix = As<MatrixSelector>(expr);
      return SelectorText(As<VectorSelector>(*matrix.selector)) + RangeText(matrix);
    }
    case ExprKind::kSubquery: {
      const auto& subquery = As<SubqueryExpr>(expr);
      return Text(*subquery.expr) + SubqueryText(subquery);
    }
    case ExprKind::kUnary: {
      const auto& unary = As<UnaryExpr>(expr);
      return (unary.op == UnaryOp::kMinus ? "-" : "+") + Text(*unary.expr);
    }
    case ExprKind::kBinary: {
      const std::vector<const BinaryExpr*> chain = ChainOf(As<BinaryExpr>(expr));
      std::string text = Text(*chain.back()->lhs);
      for (auto node = chain.rbegin(); node != chain.rend(); ++node) text += RightSide(**node);
      return text;
    }
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      const std::string parameter = aggregate.param == nullptr ? "" : Text(*aggregate.param) + ", ";
      return fmt::format("{}({}{})", AggregateHead(aggregate), parameter, Text(*aggregate.expr));
    }
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      std::vector<std::string> args;
      for (const ExprPtr& arg : call.args) args.push_back(Text(*arg));
      return fmt::format("{}({})", call.name, fmt::join(args, ", "));
    }
    case ExprKind::kParen: return "(" + Text(*As<ParenExpr>(expr).expr) + ")";
  }
  return {};
}

std::string PrettyText(const Expr& expr) {
  Pretty pretty;
  std::string text = pretty.Of(expr, 0);
  return pretty.is_too_long() ? Text(expr) : text;
}

}  // namespace tocsin::promql
