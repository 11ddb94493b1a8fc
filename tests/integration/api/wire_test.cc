// Requests as they stand on the wire, and their answers: long ones, broken ones, bodies
// that are too large, that nobody asked for, or that hold another request.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class WireTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = DaemonProcess::Start("rules: []\n");
    ASSERT_TRUE(started.ok()) << started.error().message;
    daemon_ = *std::move(started);
  }

  // Sends requests on one connection, each when the one before has been answered, the
  // last one with the wish that the server closes; all that comes back.
  std::string Talk(std::vector<std::string> requests) {
    const std::string host = "Host: tocsin\r\n";
    requests.back().insert(requests.back().find(host) + host.size(), "Connection: close\r\n");
    const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(daemon_->port()));
    EXPECT_EQ(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    std::string answer;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const bool last = i + 1 == requests.size();
      if (!Exchange(connection, requests[i], i + 1, last, answer)) break;
    }
    ::close(connection);
    return answer;
  }
  std::string Talk(const std::string& request) { return Talk(std::vector<std::string>{request}); }

  // Sends one request and reads until there are `answers` in all, or to the end if it is
  // the last. False once the server has closed, or is silent for too long.
  static bool Exchange(int connection, const std::string& request, std::size_t answers, bool last,
                       std::string& answer) {
    std::size_t sent = 0;
    while (last || sent < request.size() || Answers(answer) < answers) {
      const bool sending = sent < request.size();
      pollfd waits{connection, static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN), 0};
      if (::poll(&waits, 1, 20'000) <= 0) {
        ADD_FAILURE() << "the server neither answers nor closes";
        return false;
      }
      if ((waits.revents & POLLOUT) != 0) {
        const long size = ::send(connection, request.data() + sent, request.size() - sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) sent += static_cast<std::size_t>(size);
      }
      if ((waits.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        char buffer[65536];
        const long size = ::recv(connection, buffer, sizeof buffer, 0);
        if (size <= 0) return false;
        answer.append(buffer, static_cast<std::size_t>(size));
      }
    }
    return true;
  }

  static std::string Head(const std::string& line, const std::string& headers) {
    return line + " HTTP/1.1\r\nHost: tocsin\r\n" + headers + "\r\n";
  }
  static std::string Post(const std::string& path, const std::string& body,
                          const std::string& type = "application/json") {
    return Head("POST " + path, "Content-Type: " + type +
                                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") +
           body;
  }
  static std::size_t Answers(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("HTTP/1.1 ", at)) != text.npos; ++at) ++count;
    return count;
  }
  // The most memory the daemon has had so far, in MiB.
  double PeakMib() {
    std::ifstream status("/proc/" + std::to_string(daemon_->process().pid()) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) {
        const std::string_view number = TrimSpace(std::string_view(line).substr(6));
        return static_cast<double>(ParseInt(number.substr(0, number.find(' '))).value_or(0)) / 1024;
      }
    }
    return 0;
  }

  std::unique_ptr<DaemonProcess> daemon_;
};

#ifdef __SANITIZE_ADDRESS__
constexpr double kMostMib = 60;  // It keeps freed memory for a while.
#else
constexpr double kMostMib = 20;
#endif

TEST_F(WireTest, AlertmanagersApiRefusesWhatIsTooLargeInItsOwnWordsAndKeepsNothing) {
  const double before = PeakMib();
  for (const char* path : {"/api/v2/alerts", "/api/v2/silences"}) {
    const std::string answer = Talk(Post(path, std::string(24 << 20, ' ')));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 413 ")) << path;
    EXPECT_THAT(answer, HasSubstr("{\"code\":413,\"message\":\"the body is larger than "));
  }
  EXPECT_LT(PeakMib() - before, kMostMib);
}

TEST_F(WireTest, ChunkedBodiesAreCountedToo) {
  std::string body = Head("POST /api/v2/silences",
                          "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
  for (int i = 0; i < 40; ++i) body += chunk;
  EXPECT_THAT(Talk(body + "0\r\n\r\n"), HasSubstr("HTTP/1.1 413 "));
}

TEST_F(WireTest, WhatFitsIsTaken) {
  std::string alerts = "[";
  for (int i = 0; i < 60; ++i) {
    alerts += (i > 0 ? "," : "") + std::string("{\"labels\":{\"alertname\":\"a") +
              std::to_string(i) + "\"},\"annotations\":{\"text\":\"" + std::string(50'000, 'x') +
              "\"}}";
  }
  EXPECT_THAT(Talk(Post("/api/v2/alerts", alerts + "]")), HasSubstr("HTTP/1.1 200 "));
}

TEST_F(WireTest, BelowApiV2ErrorsAreJsonAsAlertmanagers) {
  EXPECT_THAT(Talk(Head("GET /api/v2/nothing", "")),
              HasSubstr("{\"code\":404,\"message\":\"path /api/v2/nothing was not found\"}"));
  const std::string answer = Talk(Post("/api/v2/status", "{}"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 405 "));
  EXPECT_THAT(answer, HasSubstr("Allow: GET\r\n"));
  EXPECT_THAT(
      answer,
      HasSubstr("{\"code\":405,\"message\":\"method POST is not allowed, but [GET] are\"}"));
  EXPECT_THAT(Talk(Head("GET /api/v1/nothing", "")), HasSubstr("404 page not found\n"));
}

TEST_F(WireTest, ABodyIsNeverTakenForTheNextRequest) {
  const std::string hidden = Head("POST /-/reload", "Content-Length: 0\r\n");
  const std::string length = "Content-Length: " + std::to_string(hidden.size()) + "\r\n";
  // The server reads so much at a time: the body is then still to be read.
  constexpr std::size_t kReadAtOnce = 16 << 10;
  const std::string pads =
      "Pad: " + std::string(7000, 'x') + "\r\nMore: " + std::string(7000, 'x') + "\r\nRest: ";
  for (const char* line :
       {"GET /api/v1/alerts", "GET /-/healthy", "GET /nothing", "DELETE /api/v2/silence/x",
        "DELETE /api/v2/nothing", "PATCH /api/v2/alerts", "PUT /api/v2/alerts",
        "POST /api/v2/nothing", "POST /nothing", "POST /api/v2/status", "POST /-/healthy",
        "OPTIONS /nothing", "HEAD /-/healthy"}) {
    const std::string rest(kReadAtOnce - Head(line, length + pads + "\r\n").size(), 'x');
    const std::string answer =
        Talk({Head(line, length + pads + rest + "\r\n") + hidden, Head("GET /-/ready", "")});
    // The server closes behind the first, or answers what came next.
    EXPECT_LE(Answers(answer), 2u) << line << "\n" << answer;
    if (Answers(answer) == 2) {
      EXPECT_THAT(answer.substr(1), HasSubstr("HTTP/1.1 200 OK")) << line;
    }
  }
  EXPECT_THAT(daemon_->Output(), Not(HasSubstr("configuration reloaded")));
}

TEST_F(WireTest, AConnectionGoesOnBehindARefusalWhoseBodyWasRead) {
  const std::string answer =
      Talk({Post("/api/v2/nothing", "{}"),
            Post("/nothing", std::string(100'000, 'x'), "text/plain"), Head("GET /-/healthy", "")});
  EXPECT_EQ(Answers(answer), 3u) << answer;
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 "));
}

TEST_F(WireTest, AConnectionEndsBehindABodyThatWasNotRead) {
  const std::string next = Head("GET /-/healthy", "");
  EXPECT_EQ(Answers(Talk({Head("GET /-/healthy", "Content-Length: 5\r\n") + "hello", next})), 1u);
  EXPECT_EQ(Answers(Talk({Head("GET /-/healthy", ""), next})), 2u);
}

std::string Ask(const std::string& method, const std::string& target,
                const std::string& body = {}) {
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: tocsin\r\n";
  if (!body.empty()) {
    request += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n";
  }
  return request + "\r\n" + body;
}

// Grafana may be told to use GET, and a dashboard's expressions are long.
TEST_F(WireTest, ALongExpressionMayStandInTheUrl) {
  std::string expression = "1";
  for (int i = 0; i < 9'999; ++i) expression += "%2B1";
  EXPECT_THAT(Talk(Ask("GET", "/api/v1/query?query=" + expression)), HasSubstr("\"10000\"]"));
}

TEST_F(WireTest, AnswersArePackedForThoseWhoAsk) {
  const std::string line = "GET /api/v1/query?query=%22" + std::string(2'000, 'x') + "%22";
  EXPECT_THAT(Talk(Head(line, "Accept-Encoding: deflate, gzip\r\n")),
              HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_THAT(Talk(Head(line, "")), HasSubstr(std::string(2'000, 'x')));
}

TEST_F(WireTest, GarbageIsAnsweredOnceAndNothingBehindItIsRead) {
  const std::string answer = Talk({"GARBAGE\r\nHost: tocsin\r\n\r\n", Head("GET /-/healthy", "")});
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer.substr(1), Not(HasSubstr("HTTP/1.1 4")));
  EXPECT_THAT(answer, Not(HasSubstr("HTTP/1.1 200")));
}

// Senders of remote write give up what is answered with 400, and send again behind a 503.
TEST_F(WireTest, ABodyThatAStopCutsShortMayBeSentAgain) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(daemon_->port()));
  ASSERT_EQ(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string half = Head("POST /api/v1/write", "Content-Length: 100\r\n") + "half";
  ASSERT_EQ(::send(connection, half.data(), half.size(), 0), static_cast<long>(half.size()));
  pollfd waits{connection, POLLIN, 0};
  EXPECT_EQ(::poll(&waits, 1, 300), 0) << "it waits for the rest";
  daemon_->process().Signal(SIGTERM);
  char answer[4096] = {};
  EXPECT_GT(::recv(connection, answer, sizeof answer - 1, 0), 0);
  ::close(connection);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
}

TEST_F(WireTest, WhatThePathNamesNoFormRenames) {
  EXPECT_THAT(Talk(Ask("DELETE", "/api/v2/silence/path", "id=form")),
              HasSubstr("must be of type uuid: \\\"path\\\""));
}

TEST_F(WireTest, APageOfOursIsNotAnsweredWithoutTheParameterThatCannotBeRead) {
  for (const char* target : {"/metrics?target=%zz", "/metrics?target=a;b", "/probe?target=%"}) {
    const std::string answer = Talk(Ask("GET", target));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400")) << target;
    EXPECT_THAT(answer, HasSubstr("error parsing form values")) << target;
  }
}

TEST_F(WireTest, UncleanPathsLeadToTheCleanOneOfThisServer) {
  const std::vector<std::pair<std::string, std::string>> moved = {
      {"/api/v1//query?query=1", "/api/v1/query?query=1"},
      {"/api/v1/label/../values", "/api/v1/values"},
      {"//evil.example/a", "/evil.example/a"},
      {"/\\evil.example//a", "/%5Cevil.example/a"}};
  for (const auto& [target, clean] : moved) {
    const std::string answer = Talk(Ask("GET", target));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 301")) << target;
    EXPECT_THAT(answer, HasSubstr("Location: " + clean + "\r\n")) << target;
  }
  EXPECT_THAT(Talk(Ask("GET", "/api/v1/query?query=1//1")), Not(HasSubstr("HTTP/1.1 301")));
}

}  // namespace
}  // namespace tocsin::testing
