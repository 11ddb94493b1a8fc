#include "daemon/notify/templates.h"

#include <fmt/format.h>

#include "daemon/base/text.h"
#include "daemon/notify/mail_templates.h"
#include "daemon/notify/template_values.h"

namespace tocsin::notify {
namespace {

// Alertmanager's names with Alertmanager's output. The line breaks between the
// definitions print nothing.
constexpr std::string_view kDefaultTemplates = R"tmpl(
{{ define "__alertmanager" }}Alertmanager{{ end }}
{{ define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ urlquery .Receiver }}{{ end }}
{{ define "__subject" -}}
  {{- $count := len .Alerts.Firing -}}
  {{- $others := .CommonLabels.Remove .GroupLabels.Names -}}
  [{{ toUpper .Status }}{{ if eq .Status "firing" }}:{{ $count }}{{ end }}]
  {{- print " " (join " " .GroupLabels.SortedPairs.Values) " " -}}
  {{- if $others }}({{ join " " $others.Values }}){{ end -}}
{{- end }}
{{ define "__text_alert_list" -}}
  {{- range . -}}
    {{- "Labels:\n" -}}
    {{- range .Labels.SortedPairs }}{{ printf " - %s = %s\n" .Name .Value }}{{ end -}}
    {{- "Annotations:\n" -}}
    {{- range .Annotations.SortedPairs }}{{ printf " - %s = %s\n" .Name .Value }}{{ end -}}
    {{- printf "Source: %s\n" .GeneratorURL -}}
  {{- end -}}
{{- end }}
{{ define "slack.default.username" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "slack.default.title" }}{{ template "__subject" . }}{{ end }}
{{ define "slack.default.titlelink" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "slack.default.fallback" }}{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}{{ end }}
{{ define "slack.default.pretext" }}{{ end }}
{{ define "slack.default.text" }}{{ end }}
{{ define "slack.default.callbackid" }}{{ end }}
{{ define "slack.default.iconemoji" }}{{ end }}
{{ define "slack.default.iconurl" }}{{ end }}
{{ define "slack.default.footer" }}{{ end }}
{{ define "pagerduty.default.description" }}{{ template "__subject" . }}{{ end }}
{{ define "pagerduty.default.client" }}{{ template "__alertmanager" . }}{{ end }}
{{ define "pagerduty.default.clientURL" }}{{ template "__alertmanagerURL" . }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}
)tmpl";

bool IsPlain(const std::string& text) { return text.find("{{") == std::string::npos; }

}  // namespace

Result<std::shared_ptr<const Templates>> Templates::Make(const NotifyConfig& config,
                                                         const std::string& external_url) {
  const formats::GoFunctions functions = NotificationFunctions({}, {});
  auto base = formats::Template::Parse("default.tmpl", kDefaultTemplates, functions);
  if (!base.ok()) return base.error();
  base = formats::Template::Parse("email.tmpl", kMailTemplates, functions, *base);
  if (!base.ok()) return base.error();
  for (const auto& [path, text] : config.templates) {
    auto over = formats::Template::Parse(path, text, functions, *base);
    if (!over.ok()) return Error{ErrorCode::kInvalidArgument, over.error().message};
    base = std::move(over);
  }
  return std::shared_ptr<const Templates>(new Templates(*std::move(base), external_url));
}

Result<> Templates::Check(const std::string& text) const {
  if (IsPlain(text)) return {};
  auto parsed = formats::Template::Parse("", text, NotificationFunctions({}, {}), base_);
  if (!parsed.ok()) return Error{ErrorCode::kInvalidArgument, parsed.error().message};
  return {};
}

TextExpander::TextExpander(const Templates& templates, const Notification& notification,
                           WallTime now)
    : templates_(templates),
      data_(TemplateValue(notification, templates.external_url_, {})),
      functions_(NotificationFunctions(now, {})) {
  if (notification.route_labels.empty()) return;
  // They are templates over all the rest.
  std::vector<std::pair<std::string, std::string>> expanded;
  for (const auto& [name, text] : notification.route_labels) {
    expanded.emplace_back(name, Expand(std::string(text)));
  }
  route_labels_ = model::Labels::FromMap(expanded);
  data_ = TemplateValue(notification, templates.external_url_, route_labels_);
  functions_ = NotificationFunctions(now, route_labels_);
}

std::string TextExpander::Expand(const std::string& text) {
  auto expanded = TryExpand(text, formats::Escaping::kNone);
  if (expanded.ok()) return *std::move(expanded);
  return fmt::format("<error expanding template: {}>", expanded.error().message);
}

std::string TextExpander::Expand(const std::string& text, std::size_t limit_runes,
                                 std::string_view field) {
  return Cut(Expand(text), limit_runes, field);
}

std::string TextExpander::Cut(const std::string& expanded, std::size_t limit_runes,
                              std::string_view field) {
  std::string cut = TruncateRunes(expanded, limit_runes);
  if (cut.size() != expanded.size()) {
    notes_.push_back(fmt::format("{} cut to {} characters", field, limit_runes));
  }
  return cut;
}

std::optional<std::string> TextExpander::ExpandHtml(const std::string& text) {
  auto expanded = TryExpand(text, formats::Escaping::kHtml);
  if (expanded.ok()) return *std::move(expanded);
  return std::nullopt;
}

Result<std::string> TextExpander::TryExpand(const std::string& text, formats::Escaping escaping) {
  if (IsPlain(text)) return text;
  const auto expand = [&]() -> Result<std::string> {
    TOCSIN_ASSIGN_OR_RETURN(const auto parsed,
                            formats::Template::Parse("", text, functions_, templates_.base_));
    return parsed.Execute(data_, functions_, escaping);
  };
  auto expanded = expand();
  if (!expanded.ok()) notes_.push_back(expanded.error().message);
  return expanded;
}

}  // namespace tocsin::notify
