#include "daemon/api/parameters.h"

#include <gtest/gtest.h>

#include <limits>

#include "daemon/api/api_config.h"
#include "daemon/api/authorization.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"

namespace tocsin::api {
namespace {

TEST(ParametersTest, TimesAreUnixSecondsOrRfc3339) {
  EXPECT_EQ(*ParseApiTime("1435781451.781"), 1435781451781);
  EXPECT_EQ(*ParseApiTime("-1.5"), -1500);
  EXPECT_EQ(*ParseApiTime("0"), 0);
  EXPECT_EQ(*ParseApiTime("2015-07-01T20:10:51.781Z"), 1435781451781);
  EXPECT_EQ(*ParseApiTime("2015-07-01T4:10:51,781+02:00"), 1435716651781);
  EXPECT_EQ(*ParseApiTime("1_0.5"), 10'500);
  EXPECT_EQ(*ParseApiTime("0x10p0"), 16'000);
  for (const char* bad :
       {"", "yesterday", "NaN", "1e300", "2015-07-01", "0x10", "1__0", "2015-07-01t20:10:51Z",
        "2015-07-01T20:10:51z", "2015-07-01T20:10:60Z", "2015-07-01T"}) {
    EXPECT_FALSE(ParseApiTime(bad).ok()) << bad;
  }
  EXPECT_EQ(ParseApiTime("a\tb").error().message, "cannot parse \"a\\tb\" to a valid timestamp");
}

TEST(ParametersTest, StepsAreSecondsOrDurations) {
  EXPECT_EQ(*ParseApiDuration("15"), Millis(15'000));
  EXPECT_EQ(*ParseApiDuration("0.5"), Millis(500));
  EXPECT_EQ(*ParseApiDuration("1m30s"), Millis(90'000));
  EXPECT_EQ(*ParseApiDuration("0x1p4"), Millis(16'000));
  EXPECT_EQ(*ParseApiDuration("1_0"), Millis(10'000));
  EXPECT_EQ(*ParseApiDuration("1.0006"), Millis(1000));
  EXPECT_LT(*ParseApiDuration("NaN"), Millis(0));
  EXPECT_EQ(ParseApiDuration("soon").error().message, "cannot parse \"soon\" to a valid duration");
  EXPECT_EQ(ParseApiDuration("0x10").error().message, "cannot parse \"0x10\" to a valid duration");
  EXPECT_EQ(ParseApiDuration("1e40").error().message,
            "cannot parse \"1e40\" to a valid duration. It overflows int64");
  EXPECT_EQ(ParseApiDuration("1e400").error().message,
            "cannot parse \"1e400\" to a valid duration");
}

TEST(ParametersTest, TheEndsOfTimeAreWrittenAsGoPrintsThem) {
  EXPECT_EQ(*ParseApiTime("-292273086-05-16T16:47:06Z"), -9'223'309'901'257'974'000);
  EXPECT_EQ(*ParseApiTime("292277025-08-18T07:12:54.999999999Z"), 9'223'309'901'257'974'999);
}

TEST(ParametersTest, ARangeIsAllOfTimeUnlessSaidOtherwise) {
  Request request;
  EXPECT_EQ(ParseApiRange(request).range.from_ms, std::numeric_limits<std::int64_t>::min());
  request.params = {{"start", "10"}, {"end", ""}};
  EXPECT_EQ(ParseApiRange(request).range.from_ms, 10'000);
  EXPECT_EQ(ParseApiRange(request).range.to_ms, std::numeric_limits<std::int64_t>::max());
  request.params = {{"end", "then"}};
  const RangeParameters wrong = ParseApiRange(request);
  EXPECT_EQ(wrong.wrong, "end");
  EXPECT_EQ(wrong.error.message,
            "Invalid time value for 'end': cannot parse \"then\" to a valid timestamp");
}

TEST(ParametersTest, FormsAreReadAsGoDoes) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"query", "up{job=\"a b\"}"}, {"x", ""}, {"", "y"}, {"100%", "z=+"}, {"query", "2"}};
  const Form form = ParseForm("query=up{job=\"a+b\"}&x&&=y&100%25=z=%2b&query=2");
  EXPECT_EQ(form.params, expected);
  EXPECT_EQ(form.error, "");
  EXPECT_TRUE(ParseForm("").params.empty());
}

TEST(ParametersTest, OfABrokenFormTheOtherParametersAreRead) {
  const std::vector<std::pair<std::string, std::string>> expected = {{"a", "1"}, {"f", "2"}};
  const Form broken = ParseForm("a=1&b=%zz&%4=c&f=2");
  EXPECT_EQ(broken.params, expected);
  EXPECT_EQ(broken.error, "invalid URL escape \"%zz\"");
  const Form separated = ParseForm("a=1&b=%zz&c=3;d=4&f=2&g=%");
  EXPECT_EQ(separated.params, expected);
  EXPECT_EQ(separated.error, "invalid semicolon separator in query");
  EXPECT_EQ(ParseForm("a=%4").error, "invalid URL escape \"%4\"");
}

TEST(ParametersTest, LabelNamesOfPathsAreUnescaped) {
  for (const auto& [escaped, name] :
       std::vector<std::pair<std::string, std::string>>{{"job", "job"},
                                                        {"U__job", "job"},
                                                        {"U__a_20_b", "a b"},
                                                        {"U__a__b_2F_c", "a_b/c"},
                                                        {"U___1F600_", "\xf0\x9f\x98\x80"},
                                                        {"U__broken_20", "U__broken_20"},
                                                        {"U__broken_", "U__broken_"},
                                                        {"U___xyz_", "U___xyz_"},
                                                        {"U___d800_", "U___d800_"},
                                                        {"U___10ffff_", "U___10ffff_"}}) {
    EXPECT_EQ(UnescapeLabelName(escaped), name);
  }
}

TEST(ParametersTest, BooleansAndLimitsAreRefusedInGosWords) {
  EXPECT_TRUE(*ParseApiBool("True"));
  EXPECT_FALSE(*ParseApiBool("0"));
  EXPECT_EQ(ParseApiBool("yes").error().message,
            "strconv.ParseBool: parsing \"yes\": invalid syntax");
  Request request;
  request.params = {{"limit", "x"}};
  EXPECT_EQ(ParseApiLimit(request).error().message, "strconv.Atoi: parsing \"x\": invalid syntax");
  request.params = {{"limit", "99999999999999999999"}};
  EXPECT_EQ(ParseApiLimit(request).error().message,
            "strconv.Atoi: parsing \"99999999999999999999\": value out of range");
  request.params = {{"limit", "-1"}};
  EXPECT_EQ(ParseApiLimit(request).error().message, "limit must be non-negative");
}

TEST(ParametersTest, HeadersAreFoundInAnyCase) {
  Request request;
  request.headers = {{"content-TYPE", "a"}};
  EXPECT_EQ(request.Header("Content-Type"), "a");
  EXPECT_EQ(request.Header("Accept"), "");
}

TEST(EndpointsTest, PathsAreMatchedBySegmentAndMethod) {
  Request request;
  request.method = "GET";
  request.path = "/api/v1/label/job/values";
  const Match match = FindEndpoint(request);
  ASSERT_NE(match.endpoint, nullptr);
  EXPECT_TRUE(match.method_allowed);
  EXPECT_EQ(request.Param("label"), "job");

  Request wrong_method;
  wrong_method.method = "DELETE";
  wrong_method.path = "/api/v1/query";
  EXPECT_FALSE(FindEndpoint(wrong_method).method_allowed);
  for (const char* path : {"/", "/api/v1", "/api/v1/query/", "/api/v1/labels/x", "//", ""}) {
    Request unknown;
    unknown.method = "GET";
    unknown.path = path;
    EXPECT_EQ(FindEndpoint(unknown).endpoint, nullptr) << path;
  }
}

TEST(JsonTextTest, SamplesCarrySecondsAndTheShortestValue) {
  std::string out;
  AppendJsonSample(1435781451781, 0.1, out);
  AppendJsonSample(-500, 1e21, out);
  AppendJsonSample(15000, std::numeric_limits<double>::infinity(), out);
  EXPECT_EQ(out, "[1435781451.781,\"0.1\"][-0.5,\"1e+21\"][15,\"+Inf\"]");
}

TEST(JsonTextTest, HostileTextIsEscaped) {
  std::string out;
  AppendJsonString(std::string("a\"b\\\n\x01") + "ü", out);
  EXPECT_EQ(out, "\"a\\\"b\\\\\\n\\u0001ü\"");
}

TEST(JsonTextTest, ErrorsHavePrometheusTypesAndStatuses) {
  const Response response = InvalidParameter("step", "no");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            "{\"status\":\"error\",\"errorType\":\"bad_data\","
            "\"error\":\"invalid parameter \\\"step\\\": no\"}");
  EXPECT_EQ(EvaluationFailure({ErrorCode::kDeadlineExceeded, ""}).status, 503);
  EXPECT_EQ(EvaluationFailure({ErrorCode::kResourceExhausted, ""}).status, 422);
}

TEST(AuthorizationTest, WithoutCredentialsConfiguredEverybodyMayAsk) {
  EXPECT_TRUE(Authorization(ApiConfig()).Allows(""));
}

TEST(AuthorizationTest, PasswordsAreBcryptAndTokensAreExact) {
  ApiConfig config;
  // A bcrypt hash of "test".
  config.basic_auth_users.emplace_back(
      "admin", Secret("$2b$04$Qb6xsFoxiFJ2zQZi2hiI2ehdhCp1qpceEWLulyu2tBaqIY56whpb6"));
  config.bearer_token = Secret("let-me-in");
  Authorization authorization(config);
  EXPECT_FALSE(authorization.Allows(""));
  EXPECT_FALSE(authorization.Allows("Basic YWRtaW46d3Jvbmc="));  // admin:wrong
  EXPECT_FALSE(authorization.Allows("Basic !!!!"));
  EXPECT_FALSE(authorization.Allows("Bearer let-me-i"));
  EXPECT_TRUE(authorization.Allows("Bearer let-me-in"));
  EXPECT_TRUE(authorization.Allows("Basic YWRtaW46dGVzdA=="));  // admin:test
  EXPECT_TRUE(authorization.Allows("Basic YWRtaW46dGVzdA=="));  // Remembered.
}

TEST(ApiConfigTest, AddressesAreHostPortOrUnix) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:9877")->Text(), "127.0.0.1:9877");
  EXPECT_EQ(ParseListenAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseListenAddress(":9877")->host, "0.0.0.0");
  EXPECT_EQ(ParseListenAddress("unix:/run/tocsin.sock")->unix_path, "/run/tocsin.sock");
  for (const char* bad : {"::1:9877", "", "localhost", "127.0.0.1:99999", "unix:", "a:b"}) {
    EXPECT_FALSE(ParseListenAddress(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tocsin::api
