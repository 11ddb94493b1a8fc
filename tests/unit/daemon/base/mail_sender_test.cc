#include "daemon/base/mail_sender.h"

#include <gtest/gtest.h>

#include <system_error>

namespace tocsin {
namespace {

TEST(MailSenderTest, AThreadThatCannotBeHadIsAnErrorOfThatMailAlone) {
  SystemClock clock;
  std::optional<Error> refused;
  bool out_of_threads = true;
  MailSender::Options options;
  options.refuse = [&](const HttpClient::Done&, Error error) { refused = std::move(error); };
  options.start_thread = [&](std::function<void()> run) {
    if (out_of_threads) {
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return std::thread(std::move(run));
  };
  std::optional<Error> ended;
  {
    MailSender sender(clock, options);
    const auto start = [&] {
      HttpRequest request;
      request.url = "smtp://127.0.0.1:1";
      request.mail = MailEnvelope{};
      request.mail->sender = "a@b";
      request.mail->recipients = {"no address"};
      sender.Start(std::move(request), clock.SteadyNow() + std::chrono::seconds(5),
                   [&](HttpExchange exchange) { ended = exchange.error; });
    };
    start();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, ErrorCode::kResourceExhausted);
    EXPECT_EQ(refused->message.find("no thread for a mail: "), 0u) << refused->message;
    out_of_threads = false;
    start();
  }
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tocsin
