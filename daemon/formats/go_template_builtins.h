#pragma once

// The functions every template has: not len index slice eq ne lt le gt ge print
// printf println html js urlquery call (and, or are the interpreter's, because
// they stop early). Internal to the template language.

#include <string_view>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

const GoFunctions& GoBuiltins();

// Whether `name` is one of them, `and` and `or` included.
bool IsGoBuiltin(std::string_view name);

}  // namespace tocsin::formats
