#include "daemon/notify/mail_templates.h"

namespace tocsin::notify {

// Mail programs know no style sheets: styles stand at each element. The line breaks
// between the definitions print nothing.
const std::string_view kMailTemplates = R"tmpl(
{{ define "email.default.subject" }}{{ template "__subject" . }}{{ end }}
{{ define "__mail_name" }}{{ with .Annotations.summary }}{{ . }}{{ else }}{{ .Labels.alertname }}{{ end }}{{ end }}
{{ define "__mail_times" -}}
  since {{ date "2006-01-02 15:04:05 MST" .StartsAt }}
  {{- if eq .Status "resolved" }}, ended {{ date "2006-01-02 15:04:05 MST" .EndsAt }}{{ end }}
{{- end }}
{{ define "__mail_count" -}}
  {{- $firing := len .Alerts.Firing }}{{ $resolved := len .Alerts.Resolved -}}
  {{- if $firing }}{{ $firing }} firing{{ end -}}
  {{- if and $firing $resolved }}, {{ end -}}
  {{- if $resolved }}{{ $resolved }} resolved{{ end -}}
{{- end }}
{{ define "email.default.text" -}}
{{ template "__mail_count" . }}{{ with .GroupLabels.SortedPairs }}: {{ range $i, $pair := . }}{{ if $i }}, {{ end }}{{ .Name }}={{ .Value }}{{ end }}{{ end }}
{{ range .Alerts }}
{{ toUpper .Status }}: {{ template "__mail_name" . }}
{{- range .Labels.SortedPairs }}
  {{ .Name }} = {{ .Value }}
{{- end }}
{{- range .Annotations.SortedPairs }}{{ if ne .Name "summary" }}
  {{ .Name }}: {{ .Value }}
{{- end }}{{ end }}
  {{ template "__mail_times" . }}
{{- with .GeneratorURL }}
  {{ . }}
{{- end }}
{{ end }}
-- 
{{ template "__alertmanagerURL" . }}
{{ end }}
{{ define "__mail_rows" -}}
{{ range . }}<tr><td style="padding:1px 12px 1px 0;color:#666;vertical-align:top;">{{ .Name }}</td><td style="padding:1px 0;">{{ .Value }}</td></tr>
{{ end }}
{{- end }}
{{ define "email.default.html" -}}
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ template "__subject" . }}</title></head>
<body style="margin:0;padding:16px;background:#f4f4f4;color:#222;font-family:sans-serif;font-size:14px;line-height:1.4;">
<div style="max-width:720px;margin:0 auto;">
<h1 style="margin:0 0 4px;font-size:18px;">{{ template "__mail_count" . }}</h1>
<p style="margin:0 0 16px;color:#666;">{{ range $i, $pair := .GroupLabels.SortedPairs }}{{ if $i }}, {{ end }}{{ .Name }} = {{ .Value }}{{ end }}</p>
{{ range .Alerts -}}
<div style="margin:0 0 12px;padding:12px 16px;background:#fff;border-left:6px solid {{ if eq .Status "firing" }}#c62828{{ else }}#2e7d32{{ end }};">
<p style="margin:0 0 6px;font-size:16px;"><strong>{{ toUpper .Status }}</strong> {{ template "__mail_name" . }}</p>
<table style="border-collapse:collapse;font-size:13px;">
{{ template "__mail_rows" .Labels.SortedPairs }}{{ template "__mail_rows" .Annotations.SortedPairs }}</table>
<p style="margin:6px 0 0;color:#666;font-size:13px;">{{ template "__mail_times" . }}{{ with .GeneratorURL }} &middot; <a href="{{ . }}">Source</a>{{ end }}{{ with .Annotations.runbook_url }} &middot; <a href="{{ . }}">Runbook</a>{{ end }}</p>
</div>
{{ end -}}
<p style="color:#666;font-size:13px;"><a href="{{ template "__alertmanagerURL" . }}">All alerts of {{ .Receiver }}</a></p>
</div>
</body>
</html>
{{ end }}
)tmpl";

}  // namespace tocsin::notify
