#pragma once

// Tokens to tree: the grammar of Go's text/template/parse. Internal to the
// template language (go_template.h). A pure function.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/formats/go_template_ast.h"
#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

// The text's own tree first, then those of its define and block clauses. A name
// that neither `functions` nor the built-ins know is an error.
Result<std::vector<std::shared_ptr<const GoTemplateTree>>> ParseGoTemplate(
    const std::string& name, std::string_view text, const GoFunctions& functions, int max_depth);

}  // namespace tocsin::formats
