#include "daemon/formats/go_template_ast.h"

#include "daemon/formats/go_template_printf.h"

namespace tocsin::formats {
namespace {

std::string Join(const std::vector<GoNodePtr>& nodes, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) out += separator;
    const bool nested = nodes[i]->kind == GoNodeKind::kPipe;
    out += nested ? "(" + nodes[i]->Text() + ")" : nodes[i]->Text();
  }
  return out;
}

std::string Dotted(const std::vector<std::string>& names, bool leading_dot) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0 || leading_dot) out += '.';
    out += names[i];
  }
  return out;
}

std::string PipeText(const GoNode& pipe) {
  std::string out;
  for (std::size_t i = 0; i < pipe.variables.size(); ++i) {
    if (i > 0) out += ", ";
    out += pipe.variables[i];
  }
  if (!pipe.variables.empty()) out += pipe.is_assignment ? " = " : " := ";
  return out + Join(pipe.children, " | ");
}

std::string BranchText(const GoNode& node, std::string_view keyword) {
  std::string out = "{{" + std::string(keyword) + " " + node.pipe->Text() + "}}";
  out += node.list->Text();
  if (node.else_list) out += "{{else}}" + node.else_list->Text();
  return out + "{{end}}";
}

}  // namespace

std::string GoNode::Text() const {
  switch (kind) {
    case GoNodeKind::kList: return Join(children, "");
    case GoNodeKind::kText:
    case GoNodeKind::kIdentifier:
    case GoNodeKind::kConstant: return text;
    case GoNodeKind::kAction: return "{{" + pipe->Text() + "}}";
    case GoNodeKind::kPipe: return PipeText(*this);
    case GoNodeKind::kCommand: return Join(children, " ");
    case GoNodeKind::kVariable: return Dotted(names, false);
    case GoNodeKind::kField: return Dotted(names, true);
    case GoNodeKind::kChain: {
      const bool nested = children[0]->kind == GoNodeKind::kPipe;
      const std::string inner = children[0]->Text();
      return (nested ? "(" + inner + ")" : inner) + Dotted(names, true);
    }
    case GoNodeKind::kDot: return ".";
    case GoNodeKind::kNil: return "nil";
    case GoNodeKind::kIf: return BranchText(*this, "if");
    case GoNodeKind::kRange: return BranchText(*this, "range");
    case GoNodeKind::kWith: return BranchText(*this, "with");
    case GoNodeKind::kTemplate:
      return "{{template " + GoQuote(text) + (pipe ? " " + pipe->Text() : "") + "}}";
    case GoNodeKind::kBreak: return "{{break}}";
    case GoNodeKind::kContinue: return "{{continue}}";
  }
  return {};
}

}  // namespace tocsin::formats
