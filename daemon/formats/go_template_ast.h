#pragma once

// The syntax tree of a template. Internal to the template language
// (go_template.h); immutable once parsed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

enum class GoNodeKind {
  kList,        // children
  kText,        // text
  kAction,      // pipe
  kPipe,        // variables, is_assignment, children: commands
  kCommand,     // children: operands
  kIdentifier,  // text: a function's name
  kVariable,    // names: "$x" and fields
  kField,       // names
  kChain,       // children[0], names
  kDot,
  kNil,
  kConstant,  // constant, text: as written
  kIf,        // pipe, list, else_list
  kRange,
  kWith,
  kTemplate,  // text: the name; pipe or null
  kBreak,
  kContinue,
};

struct GoNode;
using GoNodePtr = std::unique_ptr<GoNode>;

struct GoNode {
  GoNodeKind kind = GoNodeKind::kList;
  int position = 0;  // Byte in the text.
  int line = 1;
  std::string text;
  std::vector<std::string> names;
  std::vector<GoNodePtr> children;
  GoValue constant;
  std::vector<std::string> variables;  // "$x", declared or assigned by a pipe.
  bool is_assignment = false;
  GoNodePtr pipe;
  GoNodePtr list;
  GoNodePtr else_list;

  // The node as Go writes it back: what errors show between < and >.
  std::string Text() const;
};

// One definition of a template set.
struct GoTemplateTree {
  std::string name;        // Of the definition.
  std::string parse_name;  // Of the text it stands in.
  std::shared_ptr<const std::string> source;
  GoNodePtr root;
};

}  // namespace tocsin::formats
