#include "daemon/api/request_reader.h"

#include <fmt/format.h>

// The library checks itself with assertions that end the process; one of them is wrong (of
// a last chunk that comes in pieces), and what it guards is right without it.
#define BOOST_DISABLE_ASSERTS

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <limits>

#include "daemon/base/ascii.h"
#include "daemon/base/deadline.h"

namespace tocsin::api {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view View(string_view text) { return {text.data(), text.size()}; }

// Takes a request apart as its bytes come.
class Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(RequestHead& head) : head_(head) {
    header_limit(RequestReader::kMaxHeadBytes);
    body_limit(std::numeric_limits<std::uint64_t>::max());  // Who reads it counts.
  }

  int version() const { return version_; }  // 11 is HTTP/1.1.
  std::size_t body_bytes() const { return body_bytes_; }
  // Where the body goes; null: nowhere.
  void set_body(std::string* body) { body_ = body; }

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code&) override {
    head_.method.assign(method.data(), method.size());
    head_.target.assign(target.data(), target.size());
    version_ = version;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    // Those behind a body in chunks say nothing to us.
    if (!is_header_done()) head_.headers.emplace_back(View(name), View(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override { return Take(bytes); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    return Take(bytes);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t Take(string_view bytes) {
    body_bytes_ += bytes.size();
    if (body_ != nullptr) body_->append(bytes.data(), bytes.size());
    return bytes.size();
  }

  RequestHead& head_;
  std::string* body_ = nullptr;
  int version_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace

std::string_view RequestHead::Header(std::string_view name) const {
  return FindHeader(headers, name);
}

class RequestReader::Rep {
 public:
  Rep(ConnectionStream& stream, const Clock& clock) : stream_(stream), clock_(clock) {}

  bool ReadHead(RequestHead& head) {
    head.method.clear();
    head.headers.clear();
    refusal_.reset();
    head_bytes_ = 0;
    deadline_ = Deadline(clock_, clock_.SteadyNow() + kHeadLimit);
    parser_.emplace(head);
    SkipLineBreak();
    error_code error;
    while (!parser_->is_header_done()) {
      if (!Advance(error)) {
        parser_.reset();
        if (error) Refuse(error);
        return false;
      }
    }
    head.keeps_connection = parser_->keep_alive();
    expects_continue_ = false;
    if (auto fault = FaultOf(head)) {
      refusal_ = std::move(fault);
      return false;
    }
    return true;
  }

  Body ReadBody(std::size_t limit, std::string& body) {
    const std::uint64_t announced = parser_->content_length().value_or(0);
    if (announced > limit + kMaxDiscardedBytes) return Body::kTooLarge;
    if (expects_continue_ && !done()) {
      // Whoever sends nothing before it is asked to is told what is wrong instead.
      if (limit == 0 || announced > limit) return Body::kTooLarge;
      if (!stream_.Write(kContinue)) return Body::kCutShort;
    }
    deadline_ = Deadline(clock_, clock_.SteadyNow() + kBodyLimit);
    if (announced <= limit) parser_->set_body(&body);
    while (!done()) {
      error_code error;
      if (!Advance(error)) return error ? Body::kBroken : Body::kCutShort;
      if (parser_->body_bytes() <= limit) continue;
      parser_->set_body(nullptr);
      body = std::string();  // Gives the memory back.
      if (parser_->body_bytes() > limit + kMaxDiscardedBytes) break;
    }
    return parser_->body_bytes() > limit ? Body::kTooLarge : Body::kWhole;
  }

  bool done() const { return !refusal_ && (!parser_ || parser_->is_done()); }
  const std::optional<Response>& refusal() const { return refusal_; }

 private:
  // Parses what is there, or waits for more. False at the end and on an error, which
  // `error` names if the client made it.
  bool Advance(error_code& error) {
    const std::string_view bytes = stream_.received();
    if (bytes.empty()) return stream_.Receive(deadline_);
    const bool in_head = !parser_->is_header_done();
    const std::size_t taken = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    stream_.Consume(taken);
    if (error == http::error::need_more) error = {};
    if (in_head) head_bytes_ += taken;
    // Neither fields without end nor one piece that never ends.
    if (head_bytes_ > kMaxHeadBytes || (taken == 0 && bytes.size() > kMaxHeadBytes)) {
      error = http::error::header_limit;
    }
    if (error) return false;
    return taken > 0 || parser_->is_done() || stream_.Receive(deadline_);
  }

  // One too much behind the request before is nobody's fault (RFC 9112, 2.2).
  void SkipLineBreak() {
    constexpr std::string_view kLineBreak = "\r\n";
    while (stream_.received().size() < kLineBreak.size() &&
           kLineBreak.starts_with(stream_.received())) {
      if (!stream_.Receive(deadline_)) return;
    }
    if (stream_.received().starts_with(kLineBreak)) stream_.Consume(kLineBreak.size());
  }

  void Refuse(const error_code& error) {
    if (error == http::error::header_limit) {
      refusal_ =
          PlainError(431, fmt::format("the request's head is larger than {} bytes", kMaxHeadBytes));
    } else {
      refusal_ = PlainError(400, "this is no HTTP/1.1 request: " + error.message());
    }
  }

  // What is wrong with a head that can be read.
  std::optional<Response> FaultOf(const RequestHead& head) {
    std::size_t encodings = 0;
    for (const auto& [name, value] : head.headers) {
      if (!EqualIgnoringCase(name, "Transfer-Encoding")) continue;
      if (++encodings > 1 || !EqualIgnoringCase(value, "chunked") || parser_->version() < 11) {
        return PlainError(501, "of transfer encodings only chunked is understood");
      }
    }
    const std::string_view expectation = head.Header("Expect");
    expects_continue_ = parser_->version() > 10 && EqualIgnoringCase(expectation, "100-continue");
    if (!expectation.empty() && !EqualIgnoringCase(expectation, "100-continue")) {
      return PlainError(417, "of expectations only 100-continue is understood");
    }
    return std::nullopt;
  }

  ConnectionStream& stream_;
  const Clock& clock_;
  Deadline deadline_{clock_, SteadyTime()};  // Of what is read.
  std::optional<Parser> parser_;             // Of the request that is read or answered.
  std::size_t head_bytes_ = 0;
  bool expects_continue_ = false;
  std::optional<Response> refusal_;
};

RequestReader::RequestReader(ConnectionStream& stream, const Clock& clock)
    : rep_(std::make_unique<Rep>(stream, clock)) {}
RequestReader::~RequestReader() = default;

bool RequestReader::ReadHead(RequestHead& head) { return rep_->ReadHead(head); }
const std::optional<Response>& RequestReader::refusal() const { return rep_->refusal(); }
RequestReader::Body RequestReader::ReadBody(std::size_t limit, std::string& body) {
  return rep_->ReadBody(limit, body);
}
bool RequestReader::done() const { return rep_->done(); }

}  // namespace tocsin::api
