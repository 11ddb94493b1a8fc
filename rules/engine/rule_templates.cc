#include "rules/engine/rule_templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "daemon/formats/template_functions.h"

namespace tocsin::rules {
namespace {

using formats::GoFunction;
using formats::GoFunctions;
using formats::GoType;
using formats::GoValue;
using Args = std::span<const GoValue>;

// What every rule template sees besides its own text.
constexpr std::string_view kPrelude =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

Error Bad(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

GoValue LabelMap(const model::Labels& labels) {
  GoValue::Entries entries;
  for (const auto& [name, value] : labels) {
    entries.emplace(std::string(name), GoValue::String(std::string(value)));
  }
  return GoValue::MapWithMissing(std::move(entries), GoValue::String(""));
}

// As an error about a field that is not there names it.
GoValue::TypePtr DataType() {
  static const GoValue::TypePtr kType = std::make_shared<formats::GoTypeInfo>(
      formats::GoTypeInfo{"struct { Labels map[string]string; ExternalLabels map[string]string; "
                          "ExternalURL string; Value interface {} }",
                          {}});
  return kType;
}

GoValue SampleValue(const promql::VectorSample& sample) {
  return GoValue::Struct(
      {{"Labels", LabelMap(sample.labels)}, {"Value", GoValue::Float(sample.value)}});
}

Result<std::string> LabelOf(const GoValue& sample, const std::string& name) {
  const GoValue* labels = sample.Field("Labels");
  if (labels == nullptr || labels->kind() != GoValue::Kind::kMap) {
    return Bad(fmt::format("a query's sample is needed, got {}", sample.TypeName()));
  }
  const auto found = labels->AsMap().find(name);
  return found == labels->AsMap().end() ? std::string() : found->second.Text();
}

Result<GoValue> SortByLabel(Args args) {
  const std::string& name = args[0].AsString();
  std::vector<std::pair<std::string, GoValue>> keyed;
  for (const GoValue& sample : args[1].AsList()) {
    TOCSIN_ASSIGN_OR_RETURN(std::string key, LabelOf(sample, name));
    keyed.emplace_back(std::move(key), sample);
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  GoValue::Items items;
  for (auto& [key, sample] : keyed) items.push_back(std::move(sample));
  return GoValue::List(std::move(items));
}

std::string PathOf(const std::string& url) {
  const auto scheme = url.find("://");
  const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  return slash == std::string::npos ? "" : url.substr(slash);
}

std::string GraphPath(const std::string& expression, int tab) {
  return fmt::format("/graph?g0.expr={}&g0.tab={}", formats::UrlQueryEscape(expression), tab);
}

using Call = std::function<Result<GoValue>(Args)>;

void AddSampleFunctions(GoFunctions& out) {
  out["first"] = {{GoType::kList}, false, [](Args a) -> Result<GoValue> {
                    if (a[0].AsList().empty()) {
                      return Bad("first() called on vector with no elements");
                    }
                    return a[0].AsList().front();
                  }};
  out["label"] = {{GoType::kString, GoType::kAny}, false, [](Args a) -> Result<GoValue> {
                    TOCSIN_ASSIGN_OR_RETURN(auto text, LabelOf(a[1], a[0].AsString()));
                    return GoValue::String(std::move(text));
                  }};
  out["value"] = {{GoType::kAny}, false, [](Args a) -> Result<GoValue> {
                    const GoValue* value = a[0].Field("Value");
                    if (value != nullptr) return *value;
                    return Bad("a query's sample is needed, got " + a[0].TypeName());
                  }};
  out["strvalue"] = {{GoType::kAny}, false, [](Args a) -> Result<GoValue> {
                       TOCSIN_ASSIGN_OR_RETURN(auto text, LabelOf(a[0], "__value__"));
                       return GoValue::String(std::move(text));
                     }};
  out["sortByLabel"] = {{GoType::kString, GoType::kList}, false, SortByLabel};
  out["args"] = {{GoType::kAny}, true, [](Args a) -> Result<GoValue> {
                   GoValue::Entries entries;
                   for (std::size_t i = 0; i < a.size(); ++i) {
                     entries.emplace("arg" + std::to_string(i), a[i]);
                   }
                   return GoValue::Map(std::move(entries));
                 }};
}

void AddLinkFunctions(GoFunctions& out, const TemplateScope& scope) {
  const auto link = [](int tab) -> Call {
    return [tab](Args a) -> Result<GoValue> {
      return GoValue::String(GraphPath(a[0].AsString(), tab));
    };
  };
  out["graphLink"] = {{GoType::kString}, false, link(0)};
  out["tableLink"] = {{GoType::kString}, false, link(1)};
  out["externalURL"] = {
      {}, false, [&scope](Args) -> Result<GoValue> { return GoValue::String(scope.external_url); }};
  out["pathPrefix"] = {{}, false, [&scope](Args) -> Result<GoValue> {
                         return GoValue::String(PathOf(scope.external_url));
                       }};
  out["now"] = {{}, false, [&scope](Args) -> Result<GoValue> {
                  return GoValue::Float(ToSeconds(scope.at.time_since_epoch()));
                }};
}

// The names alone decide whether a template parses.
const GoFunctions& KnownFunctions() {
  static const TemplateScope kNoScope;
  static const GoFunctions kFunctions = RuleTemplateFunctions(kNoScope);
  return kFunctions;
}

}  // namespace

GoFunctions RuleTemplateFunctions(const TemplateScope& scope) {
  GoFunctions out = formats::CommonTemplateFunctions();
  AddSampleFunctions(out);
  AddLinkFunctions(out, scope);
  out["query"] = {{GoType::kString}, false, [&scope](Args a) -> Result<GoValue> {
                    TOCSIN_ASSIGN_OR_RETURN(const auto vector, scope.query(a[0].AsString()));
                    GoValue::Items items;
                    for (const auto& sample : vector) items.push_back(SampleValue(sample));
                    return GoValue::List(std::move(items));
                  }};
  return out;
}

Result<RuleTemplate> RuleTemplate::Parse(const std::string& alert, const std::string& text) {
  RuleTemplate out;
  out.text_ = text;
  out.name_ = "__alert_" + alert;
  out.is_plain_ = text.find("{{") == std::string::npos;
  if (out.is_plain_) return out;
  TOCSIN_ASSIGN_OR_RETURN(
      out.template_,
      formats::Template::Parse(out.name_, std::string(kPrelude) + text, KnownFunctions()));
  return out;
}

Result<std::string> RuleTemplate::Expand(const model::Labels& labels, double value,
                                         const TemplateScope& scope,
                                         const GoFunctions& functions) const {
  if (is_plain_) return text_;
  const GoValue data = GoValue::Struct({{"Labels", LabelMap(labels)},
                                        {"ExternalLabels", LabelMap(scope.external_labels)},
                                        {"ExternalURL", GoValue::String(scope.external_url)},
                                        {"Value", GoValue::Float(value)}},
                                       DataType());
  auto text = template_.Execute(data, functions);
  if (text.ok()) return text;
  return text.error().WithContext("error executing template " + name_);
}

RuleTemplates::RuleTemplates(const std::string& alert, const TextPairs& texts) {
  for (const auto& [name, text] : texts) {
    auto parsed = RuleTemplate::Parse(alert, text);
    TOCSIN_CHECK(parsed.ok());
    templates_.emplace_back(name, std::move(parsed).value());
  }
}

bool RuleTemplates::plain() const {
  return std::all_of(templates_.begin(), templates_.end(),
                     [](const auto& text) { return text.second.plain(); });
}

TextPairs RuleTemplates::Expand(const model::Labels& labels, double value,
                                const TemplateScope& scope, const GoFunctions& functions,
                                const std::function<void(const Error&)>& on_error) const {
  TextPairs out;
  for (const auto& [name, text] : templates_) {
    auto expanded = text.Expand(labels, value, scope, functions);
    if (!expanded.ok()) {
      on_error(expanded.error());
      expanded = fmt::format("<error expanding template: {}>", expanded.error().message);
    }
    out.emplace_back(name, std::move(expanded).value());
  }
  return out;
}

}  // namespace tocsin::rules
