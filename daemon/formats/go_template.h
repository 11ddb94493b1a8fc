#pragma once

// Go's text/template language: what rule files and Alertmanager's templates are
// written in. All of it: actions with trim markers, pipelines, variables, if,
// range, with, break, continue, define, template, block, comments, and the
// built-in functions (and or not eq ne lt le gt ge len index slice print printf
// println html js urlquery call). A missing key of a map reads as the zero value
// (option missingkey=zero), as both Prometheus and Alertmanager set it.
//
// Functions beyond the built-in ones are given by the caller: a table at Parse
// (an unknown name is a parse error there, as in Go) and one at Execute (which
// may bind them to a time or an alert). Common ones are in template_functions.h.
//
// A template's output and work are bounded: kMaxOutputBytes, kMaxSteps, kMaxDepth.
//
// Errors are kInvalidArgument with Go's text:
//   template: NAME:1: function "humanise" not defined
//   template: NAME:1:12: executing "NAME" at <.Foo>: can't evaluate field Foo in type …
// or kResourceExhausted when a bound is reached.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/formats/go_template_value.h"

namespace tocsin::formats {

struct GoTemplateTree;  // One parsed definition (go_template_ast.h).

// What becomes of the values that a template prints. kHtml: they are text within HTML,
// as Go's html/template prints them in text and in attributes: escaped, unless they
// come out of safeHtml; an address (href, src) of another scheme than http, https,
// mailto and tel reads "#ZgotmplZ". It does not know scripts and style sheets: values
// there are escaped as if they were text.
enum class Escaping { kNone, kHtml };

// Immutable once parsed, cheap to copy, thread-safe to execute.
class Template {
 public:
  static constexpr std::size_t kMaxTextBytes = 1 << 20;
  static constexpr std::size_t kMaxOutputBytes = 1 << 20;
  static constexpr std::int64_t kMaxSteps = 1'000'000;  // Nodes executed.
  static constexpr int kMaxDepth = 100;                 // Nested templates, and nested syntax.

  // Parses `text` as template `name`; its {{ define }}s come along.
  static Result<Template> Parse(const std::string& name, std::string_view text,
                                const GoFunctions& functions);

  // The same, but what `base` defines can be called and may be redefined: a set
  // of template files is parsed one over the other.
  static Result<Template> Parse(const std::string& name, std::string_view text,
                                const GoFunctions& functions, const Template& base);

  // Executes the template that was parsed last (or `definition` of its set).
  // Errors: as above; kNotFound when `definition` does not exist.
  Result<std::string> Execute(const GoValue& data, const GoFunctions& functions,
                              Escaping escaping = Escaping::kNone) const;
  Result<std::string> ExecuteDefinition(const std::string& definition, const GoValue& data,
                                        const GoFunctions& functions,
                                        Escaping escaping = Escaping::kNone) const;

  // Whether {{ define "name" }} (or a parsed text of that name) is in the set.
  bool Defines(const std::string& name) const { return trees_.count(name) > 0; }

  const std::string& name() const { return name_; }

 private:
  using Trees = std::map<std::string, std::shared_ptr<const GoTemplateTree>>;
  std::string name_;
  Trees trees_;
};

}  // namespace tocsin::formats
