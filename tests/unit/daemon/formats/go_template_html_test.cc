// What html/template prints of a value in text and in attributes.

#include <gtest/gtest.h>

#include "daemon/formats/go_template.h"
#include "daemon/formats/template_functions.h"

namespace tocsin::formats {
namespace {

std::string Html(const std::string& text, const std::string& value) {
  const auto functions = CommonTemplateFunctions();
  const auto parsed = Template::Parse("t", text, functions);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return parsed->Execute(GoValue::String(value), functions, Escaping::kHtml).value();
}

TEST(GoTemplateHtmlTest, ValuesAreEscapedTheTextIsNot) {
  EXPECT_EQ(Html("<b>{{ . }}</b>", "<i>\"a\" & 'b' + c</i>"),
            "<b>&lt;i&gt;&#34;a&#34; &amp; &#39;b&#39; &#43; c&lt;/i&gt;</b>");
}

TEST(GoTemplateHtmlTest, WithinOtherTemplatesRangesAndVariablesToo) {
  EXPECT_EQ(Html("{{ define \"x\" }}<u>{{ . }}</u>{{ end }}{{ template \"x\" . }}"
                 "{{ $v := . }}{{ with $v }}{{ . | toUpper }}{{ end }}{{ printf \"<%s>\" . }}",
                 "<a>"),
            "<u>&lt;a&gt;</u>&lt;A&gt;&lt;&lt;a&gt;&gt;");
}

TEST(GoTemplateHtmlTest, SafeHtmlStandsAsItIs) {
  EXPECT_EQ(Html("{{ . | safeHtml }}", "<b>x</b>"), "<b>x</b>");
}

TEST(GoTemplateHtmlTest, AddressesAreEscapedAndOnlyHarmlessSchemesAreLeft) {
  EXPECT_EQ(Html("<a href=\"{{ . }}\">", "http://x/?a=1&b=\"2 3\""),
            "<a href=\"http://x/?a=1&amp;b=&#34;2%203&#34;\">");
  EXPECT_EQ(Html("<a href=\"{{ . }}\">", "/path?x:y"), "<a href=\"/path?x:y\">");
  for (const char* evil : {"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)",
                           "data:text/html,x", "vbscript:x", "java\nscript:alert(1)"}) {
    EXPECT_EQ(Html("<a href=\"{{ . }}\">", evil), "<a href=\"#ZgotmplZ\">") << evil;
    EXPECT_EQ(Html("<img SRC='{{ . }}'>", evil), "<img SRC='#ZgotmplZ'>") << evil;
  }
}

TEST(GoTemplateHtmlTest, WithoutEscapingNothingChanges) {
  const auto functions = CommonTemplateFunctions();
  const auto parsed = Template::Parse("t", "{{ . }}{{ . | safeHtml }}", functions);
  EXPECT_EQ(parsed->Execute(GoValue::String("<a>"), functions).value(), "<a><a>");
}

}  // namespace
}  // namespace tocsin::formats
