#include <gmock/gmock.h>

#include "daemon/api/alertmanager_answers.h"
#include "daemon/api/endpoints.h"

namespace tocsin::api {
namespace {

using ::testing::HasSubstr;

TEST(AlertmanagerEndpointsTest, AlertsAndSilencesAnswerHoweverManyQueriesRun) {
  int seen = 0;
  for (const Endpoint& endpoint : Endpoints()) {
    const bool alerts = endpoint.path.starts_with("/api/v2/") ||
                        endpoint.path == "/api/v1/alerts" || endpoint.path == "/api/v1/explain";
    if (!alerts) continue;
    ++seen;
    EXPECT_EQ(endpoint.load, Load::kLight) << endpoint.path;
    EXPECT_FALSE(endpoint.open) << endpoint.path;
  }
  EXPECT_EQ(seen, 8);
}

TEST(AlertmanagerEndpointsTest, TheQueryCannotNameAnotherSilenceThanThePath) {
  Request request;
  request.method = "DELETE";
  request.path = "/api/v2/silence/one";
  request.params = {{"id", "another"}};
  ASSERT_TRUE(FindEndpoint(request).method_allowed);
  EXPECT_EQ(request.Param("id"), "one");
}

TEST(AlertmanagerEndpointsTest, GrafanaMustNotTakeUsForMimir) {
  Request request;
  request.method = "GET";
  request.path = "/alertmanager/api/v2/status";
  EXPECT_EQ(FindEndpoint(request).endpoint, nullptr);
}

TEST(AlertmanagerAnswersTest, OnlyJsonIsTaken) {
  Request request;
  for (const char* type :
       {"application/json", "application/json; charset=utf-8", "Application/JSON"}) {
    request.headers = {{"content-type", type}};
    EXPECT_FALSE(CheckPost(request)) << type;
  }
  // What a browser sends for any page without asking first.
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
    request.headers = {{"Content-Type", type}};
    ASSERT_TRUE(CheckPost(request)) << type;
    EXPECT_EQ(CheckPost(request)->status, 415) << type;
  }
}

TEST(AlertmanagerAnswersTest, FiltersAreMatchersOfAnyForm) {
  Request request;
  request.params = {{"filter", "a=b"}, {"filter", "c!~\"d.*\""}, {"other", "x"}};
  const auto filters = ReadFilters(request);
  ASSERT_TRUE(filters.ok()) << filters.error().message;
  ASSERT_EQ(filters->size(), 2u);
  EXPECT_EQ((*filters)[1].Text(), "c!~\"d.*\"");
  request.params = {{"filter", "nonsense"}};
  EXPECT_THAT(ReadFilters(request).error().message, HasSubstr("bad matcher format: nonsense: "));
}

TEST(AlertmanagerAnswersTest, ErrorsAreJson) {
  EXPECT_EQ(AlertmanagerRefusal(400, "a \"b\"").body, "\"a \\\"b\\\"\"");
  EXPECT_EQ(AlertmanagerFault(422, 602, "x").body, "{\"code\":602,\"message\":\"x\"}");
  EXPECT_EQ(UnreadableBody({ErrorCode::kInvalidArgument, "x"}).status, 422);
  EXPECT_EQ(UnreadableBody({ErrorCode::kCorruption, "x"}).status, 400);
}

}  // namespace
}  // namespace tocsin::api
