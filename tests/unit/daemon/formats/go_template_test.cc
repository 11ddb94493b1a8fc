#include "daemon/formats/go_template.h"

#include <gtest/gtest.h>

#include <string>

#include "daemon/formats/template_functions.h"

namespace tocsin::formats {
namespace {

// What an alert's template sees, in short: labels, a value, and a list.
GoValue Data() {
  GoValue::Items alerts;
  for (const char* name : {"db", "cache"}) {
    alerts.push_back(GoValue::Struct(
        {{"Name", GoValue::String(name)}, {"Load", GoValue::Float(name[0] == 'd' ? 0.5 : 2)}}));
  }
  return GoValue::Struct({
      {"Labels", GoValue::StringMap({{"job", "pg"}, {"instance", "db1:5432"}})},
      {"Value", GoValue::Float(0.925)},
      {"Count", GoValue::Int(3)},
      {"Alerts", GoValue::List(std::move(alerts))},
      {"Empty", GoValue::List({})},
      {"At", GoValue::Time(FromUnixMillis(1'700'000'000'123))},
      {"Since", GoValue::Duration(std::chrono::seconds(3725))},
      {"Nothing", GoValue()},
  });
}

// The output, or the error's message.
std::string Expand(const std::string& text) {
  const GoFunctions functions = CommonTemplateFunctions();
  const auto parsed = Template::Parse("t", text, functions);
  if (!parsed.ok()) return parsed.error().message;
  const auto out = parsed->Execute(Data(), functions);
  return out.ok() ? *out : out.error().message;
}

struct Case {
  const char* text;
  const char* expected;
};

void ExpectAll(std::initializer_list<Case> cases) {
  for (const auto& [text, expected] : cases) EXPECT_EQ(Expand(text), expected) << text;
}

TEST(GoTemplateTest, PrintsFieldsMapsAndConstants) {
  ExpectAll({
      {"plain", "plain"},
      {"", ""},
      {"{{ .Labels.job }}/{{ .Value }}", "pg/0.925"},
      {"{{ .Labels }}", "map[instance:db1:5432 job:pg]"},
      {"[{{ .Labels.missing }}]", "[]"},
      {"{{ .Nothing }}|{{ .Nothing.More }}", "<no value>|<no value>"},
      {"{{ 1 }} {{ -1.50 }} {{ 0x1F }} {{ 'a' }} {{ true }} {{ \"q\\\"\\n\" }}{{ `raw\\` }}",
       "1 -1.5 31 97 true q\"\nraw\\"},
      {"{{ (index .Alerts 1).Name }}", "cache"},
      {"{{ $.Labels.job }}{{ $ := 1 }}{{ $ }}", "pg1"},
  });
}

TEST(GoTemplateTest, TrimsAndComments) {
  ExpectAll({
      {"a  {{- 1 -}}  b", "a1b"},
      {"a \n{{/* nothing */}}\n b", "a \n\n b"},
      {"a {{- /* nothing */ -}} b", "ab"},
      {"{{-3}}", "-3"},
      {"{{- 3 -}}", "3"},
  });
}

TEST(GoTemplateTest, Branches) {
  ExpectAll({
      {"{{ if gt .Value 0.9 }}high{{ else }}low{{ end }}", "high"},
      {"{{ if false }}1{{ else if eq .Count 3 }}2{{ else }}3{{ end }}", "2"},
      {"{{ if .Empty }}some{{ else }}none{{ end }}", "none"},
      {"{{ if and .Labels.job (not .Labels.nope) }}yes{{ end }}", "yes"},
      {"{{ or .Labels.nope \"fallback\" }}", "fallback"},
      {"{{ with .Labels.job }}[{{ . }}]{{ end }}", "[pg]"},
      {"{{ with .Labels.nope }}x{{ else with .Labels.job }}{{ . }}{{ else }}z{{ end }}", "pg"},
      {"{{ with $x := 5 }}{{ $x }}{{ end }}", "5"},
  });
}

TEST(GoTemplateTest, Loops) {
  ExpectAll({
      {"{{ range .Alerts }}{{ .Name }} {{ end }}", "db cache "},
      {"{{ range $i, $a := .Alerts }}{{ $i }}={{ $a.Name }};{{ end }}", "0=db;1=cache;"},
      {"{{ range $k, $v := .Labels }}{{ $k }}={{ $v }},{{ end }}", "instance=db1:5432,job=pg,"},
      {"{{ range .Empty }}x{{ else }}none{{ end }}", "none"},
      {"{{ range .Nothing }}x{{ else }}none{{ end }}", "none"},
      {"{{ range $i, $a := .Alerts }}{{ if eq $i 1 }}{{ break }}{{ end }}{{ $a.Name }}{{ end }}",
       "db"},
      {"{{ range .Alerts }}{{ if eq .Name \"db\" }}{{ continue }}{{ end }}{{ .Name }}{{ end }}",
       "cache"},
      {"{{ range 3 }}{{ . }}{{ end }}", "012"},
      {"{{ $n := 0 }}{{ range .Alerts }}{{ $n = .Name }}{{ end }}{{ $n }}", "cache"},
  });
}

TEST(GoTemplateTest, Definitions) {
  ExpectAll({
      {"{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" .Labels.job }}", "<pg>"},
      {"{{ block \"b\" .Count }}{{ . }}!{{ end }}", "3!"},
      {"{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}",
       "template: t:1: multiple definition of template \"x\""},
      {"{{ template \"nope\" }}",
       "template: t:1:12: executing \"t\" at <{{template \"nope\"}}>: template \"nope\" not "
       "defined"},
      {"{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
       "template: t:1:28: executing \"r\" at <{{template \"r\"}}>: exceeded maximum template depth "
       "(100)"},
  });
}

TEST(GoTemplateTest, LaterFilesOfASetRedefine) {
  const GoFunctions functions;
  const auto base = Template::Parse("base", "{{ define \"title\" }}old{{ end }}", functions);
  ASSERT_TRUE(base.ok());
  const auto over = Template::Parse("mine", "{{ define \"title\" }}new{{ end }}", functions, *base);
  ASSERT_TRUE(over.ok());
  const auto use = Template::Parse("", "{{ template \"title\" }}", functions, *over);
  ASSERT_TRUE(use.ok());
  EXPECT_EQ(*use->Execute(GoValue(), functions), "new");
  EXPECT_EQ(*base->ExecuteDefinition("title", GoValue(), functions), "old");
  EXPECT_FALSE(base->ExecuteDefinition("other", GoValue(), functions).ok());
}

TEST(GoTemplateTest, PipesAndBuiltins) {
  ExpectAll({
      {"{{ .Value | printf \"%.1f %s\" 2.0 | len }}", "22"},
      {"{{ .Labels.job | toUpper | printf \"%s-%s\" \"x\" }}", "x-PG"},
      {"{{ len .Labels }} {{ index .Labels \"job\" }} {{ slice \"abcdef\" 1 3 }}", "2 pg bc"},
      {"{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ le 1 1 }} {{ ge 1.5 2.0 }} {{ lt \"a\" \"b\" }}",
       "true true true false true"},
      {"{{ print 1 2 \"x\" \"y\" 3 }}|{{ println \"a\" 1 }}", "1 2xy3|a 1\n"},
      {"{{ html \"<a href='x'>\" }} {{ js \"it's <b>\" }} {{ urlquery \"a b&c\" }}",
       "&lt;a href=&#39;x&#39;&gt; it\\'s \\u003Cb\\u003E a+b%26c"},
  });
}

TEST(GoTemplateTest, PrintfFollowsGo) {
  ExpectAll({
      {"{{ printf \"%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U\" 42 42 42 42 42 255 255 8 5 65 65 }}",
       "42|   42|42   |00042|+42|ff|FF|10|101|A|U+0041"},
      {"{{ printf \"%.2f|%8.3f|%e|%g|%.3g|%6.2f%%\" .Value .Value .Value .Value 1234.5 99.5 }}",
       "0.93|   0.925|9.250000e-01|0.925|1.23e+03| 99.50%"},
      {"{{ printf \"%s|%q|%10s|%-4s|%.2s|%x\" \"ab\" \"a\\\"b\" \"ab\" \"ab\" \"abc\" \"ab\" }}",
       "ab|\"a\\\"b\"|        ab|ab  |ab|6162"},
      {"{{ printf \"%v %v %v %t %T %T\" .Count .Value .Labels true .Value .Labels }}",
       "3 0.925 map[instance:db1:5432 job:pg] true float64 map[string]string"},
      {"{{ printf \"%d\" .Value }} {{ printf \"%s\" 5 }} {{ printf \"%d\" }} {{ printf \"x\" 1 }}",
       "%!d(float64=0.925) %!s(int=5) %!d(MISSING) x%!(EXTRA int=1)"},
      {"{{ printf \"%!\" 1 }} {{ printf \"%\" }} {{ printf \"%z\" 1 }}",
       "%!!(int=1) %!(NOVERB) %!z(int=1)"},
      {"{{ printf \"%[2]d %[1]d\" 1 2 }} {{ printf \"%*d\" 4 7 }}", "2 1    7"},
      {"{{ printf \"%v %v %v\" 1e6 123456.0 1e-5 }}", "1e+06 123456 1e-05"},
      {"{{ printf \"%v\" .Nothing }}", "<nil>"},
  });
}

TEST(GoTemplateTest, TimesAndDurations) {
  ExpectAll({
      {"{{ .At.Format \"2006-01-02T15:04:05.000Z07:00\" }}", "2023-11-14T22:13:20.123Z"},
      {"{{ .At.Format \"Mon Jan _2 3:04PM MST 06\" }}", "Tue Nov 14 10:13PM UTC 23"},
      {"{{ .At.Unix }} {{ .At.Year }} {{ .At.Weekday }}", "1700000000 2023 Tuesday"},
      {"{{ .At }}", "2023-11-14 22:13:20.123 +0000 UTC"},
      {"{{ .Since }} {{ .Since.Minutes }} {{ humanizeDuration .Since }}",
       "1h2m5s 62.083333333333336 1h 2m 5s"},
      {"{{ (.At.Add .Since).Format \"15:04\" }}", "23:15"},
  });
}

TEST(GoTemplateTest, CommonFunctions) {
  ExpectAll({
      {"{{ humanize 1234567 }} {{ humanize 0.00123 }} {{ humanize 0 }} {{ humanize \"12345\" }}",
       "1.235M 1.23m 0 12.35k"},
      {"{{ humanize1024 1048576 }} {{ humanize1024 1 }} {{ humanizePercentage 0.1234567 }}",
       "1Mi 1 12.35%"},
      {"{{ humanizeDuration 0 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration 1.5 }} "
       "{{ humanizeDuration 3725 }} {{ humanizeDuration 90061 }} {{ humanizeDuration -61 }}",
       "0s 12.3ms 1.5s 1h 2m 5s 1d 1h 1m 1s -1m 1s"},
      {"{{ humanizeTimestamp 1700000000 }} {{ (toTime 0).Year }} {{ toDuration 90 }}",
       "2023-11-14 22:13:20 +0000 UTC 1970 1m30s"},
      {"{{ title \"aa bb-cc d'e\" }} {{ toUpper \"grün\" }} {{ toLower \"ÄB\" }}",
       "Aa Bb-Cc D'E GRÜN äb"},
      {"{{ stripPort \"db1:5432\" }} {{ stripPort \"[::1]:80\" }} {{ stripDomain \"a.b.c:80\" }} "
       "{{ stripDomain \"10.0.0.1:80\" }}",
       "db1 ::1 a:80 10.0.0.1:80"},
      {"{{ match \"b.\" \"abc\" }} {{ reReplaceAll \"(a)(b*)\" \"<$2${1}$x>\" \"abbac\" }} "
       "{{ reReplaceAll \"x*\" \"-\" \"abc\" }}",
       "true <bba><a>c -a-b-c-"},
      {"{{ parseDuration \"1h30m\" }}", "5400"},
      {"{{ humanize \"x\" }}",
       "template: t:1:3: executing \"t\" at <humanize \"x\">: error calling humanize: "
       "strconv.ParseFloat: parsing \"x\": invalid syntax"},
  });
}

TEST(GoTemplateTest, ParseErrorsReadAsGos) {
  ExpectAll({
      {"{{ nope }}", "template: t:1: function \"nope\" not defined"},
      {"x\n{{ $y }}", "template: t:2: undefined variable \"$y\""},
      {"{{ if }}x{{ end }}", "template: t:1: missing value for if"},
      {"{{ if true }}x", "template: t:1: unexpected EOF"},
      {"{{ end }}", "template: t:1: unexpected {{end}}"},
      {"{{ else }}", "template: t:1: unexpected {{else}}"},
      {"{{ .X", "template: t:1: unclosed action"},
      {"{{ .X\n\n", "template: t:3: unclosed action started at t:1"},
      {"{{ \"abc }}", "template: t:1: unterminated quoted string"},
      {"{{/* x }}", "template: t:1: unclosed comment"},
      {"{{ (1 }}", "template: t:1: unclosed left paren"},
      {"{{ 1) }}", "template: t:1: unexpected right paren"},
      {"{{ break }}", "template: t:1: {{break}} outside {{range}}"},
      {"{{ range $a, $b, $c := .X }}{{ end }}", "template: t:1: too many declarations in range"},
      {"{{ 1 | 2 }}", "template: t:1: non executable command in pipeline stage 2"},
      {"{{ 1.x }}", "template: t:1: bad number syntax: \"1.x\""},
      {"{{ printf 3, 4 }}", "template: t:1: unexpected \",\" in operand"},
      {"{{ .X @ }}", "template: t:1: unrecognized character in action: U+0040 '@'"},
      {"{{ true.x }}", "template: t:1: unexpected . after term \"true\""},
      {"{{ }}", "template: t:1: missing value for command"},
  });
}

TEST(GoTemplateTest, ExecutionErrorsReadAsGos) {
  ExpectAll({
      {"a\n  {{ .Value.Foo }}",
       "template: t:2:5: executing \"t\" at <.Value.Foo>: can't evaluate field Foo in type "
       "float64"},
      {"{{ if gt .Value 5 }}x{{ end }}",
       "template: t:1:6: executing \"t\" at <gt .Value 5>: error calling gt: incompatible types "
       "for comparison"},
      {"{{ len 3 }}",
       "template: t:1:3: executing \"t\" at <len 3>: error calling len: len of type int"},
      {"{{ toUpper .Value }}",
       "template: t:1:11: executing \"t\" at <.Value>: wrong type for value; expected string; got "
       "float64"},
      {"{{ toUpper 5 }}", "template: t:1:11: executing \"t\" at <5>: expected string; found 5"},
      {"{{ toUpper }}",
       "template: t:1:3: executing \"t\" at <toUpper>: wrong number of args for toUpper: want 1 "
       "got 0"},
      {"{{ index .Alerts 7 }}",
       "template: t:1:3: executing \"t\" at <index .Alerts 7>: error calling index: index out of "
       "range: 7"},
      {"{{ range .Value }}{{ end }}",
       "template: t:1:9: executing \"t\" at <.Value>: range can't iterate over 0.925"},
      {"{{ 5 | .Value }}",
       "template: t:1:7: executing \"t\" at <.Value>: Value has arguments but cannot be invoked "
       "as function"},
      {"{{ nil }}", "template: t:1:3: executing \"t\" at <nil>: nil is not a command"},
  });
}

TEST(GoTemplateTest, OutputAndWorkAreBounded) {
  const std::string endless = Expand("{{ range 2000000 }}{{ end }}");
  EXPECT_NE(endless.find("more than 1000000 steps"), std::string::npos) << endless;
  const std::string wide = Expand("{{ range 100000 }}{{ printf \"%1000d\" . }}{{ end }}");
  EXPECT_NE(wide.find("output of more than"), std::string::npos) << wide;
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += "{{ if true }}";
  EXPECT_EQ(Expand(deep), "template: t:1: nested more than 100 deep");
}

TEST(GoTemplateTest, MethodsOfListsAndMaps) {
  auto type = std::make_shared<GoTypeInfo>();
  type->name = "template.KV";
  type->methods["Names"] = {{}, false, [](std::span<const GoValue> args) -> Result<GoValue> {
                              GoValue::Items names;
                              for (const auto& [name, value] : args[0].AsMap()) {
                                names.push_back(GoValue::String(name));
                              }
                              return GoValue::List(std::move(names));
                            }};
  const GoValue kv = GoValue::StringMap({{"b", "2"}, {"a", "1"}}, type);
  const GoFunctions none;
  const auto parsed = Template::Parse("t", "{{ .Names }} {{ .a }} {{ .zzz }}!", none);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed->Execute(kv, none), "[a b] 1 !");
}

}  // namespace
}  // namespace tocsin::formats
