#pragma once

// Executes a parsed template. Internal to the template language (go_template.h).
// Thread-safe: everything it reads is immutable.

#include <map>
#include <memory>
#include <string>

#include "daemon/base/result.h"
#include "daemon/formats/go_template.h"
#include "daemon/formats/go_template_ast.h"
#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

using GoTemplateTrees = std::map<std::string, std::shared_ptr<const GoTemplateTree>>;

// Errors: as Template::Execute.
Result<std::string> ExecuteGoTemplate(const GoTemplateTree& tree, const GoTemplateTrees& trees,
                                      const GoFunctions& functions, const GoValue& data,
                                      Escaping escaping);

}  // namespace tocsin::formats
