#include "daemon/formats/go_template.h"

#include <fmt/format.h>

#include <utility>

#include "daemon/formats/go_template_ast.h"
#include "daemon/formats/go_template_exec.h"
#include "daemon/formats/go_template_parser.h"
#include "daemon/formats/go_template_printf.h"

namespace tocsin::formats {

Result<Template> Template::Parse(const std::string& name, std::string_view text,
                                 const GoFunctions& functions) {
  return Parse(name, text, functions, Template());
}

Result<Template> Template::Parse(const std::string& name, std::string_view text,
                                 const GoFunctions& functions, const Template& base) {
  if (text.size() > kMaxTextBytes) {
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("template: {}: text of more than {} bytes", name, kMaxTextBytes)};
  }
  TOCSIN_ASSIGN_OR_RETURN(auto trees, ParseGoTemplate(name, text, functions, kMaxDepth));
  Template out = base;
  out.name_ = name;
  for (auto& tree : trees) {
    auto& slot = out.trees_[tree->name];
    // An empty definition does not replace another one.
    if (slot && tree->root->children.empty()) continue;
    slot = std::move(tree);
  }
  return out;
}

Result<std::string> Template::Execute(const GoValue& data, const GoFunctions& functions,
                                      Escaping escaping) const {
  return ExecuteDefinition(name_, data, functions, escaping);
}

Result<std::string> Template::ExecuteDefinition(const std::string& definition, const GoValue& data,
                                                const GoFunctions& functions,
                                                Escaping escaping) const {
  const auto found = trees_.find(definition);
  if (found == trees_.end()) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("template: no template {} associated with template {}",
                             GoQuote(definition), GoQuote(name_))};
  }
  return ExecuteGoTemplate(*found->second, trees_, functions, data, escaping);
}

}  // namespace tocsin::formats
