#include "daemon/api/http_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "daemon/api/alertmanager_answers.h"
#include "daemon/api/authorization.h"
#include "daemon/api/connection_server.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/api/listen_socket.h"
#include "daemon/api/request_target.h"
#include "daemon/base/ascii.h"
#include "daemon/base/internet_date.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

constexpr std::size_t kRequestsKept = 1'000;  // A busy connection holds a worker too.
constexpr std::string_view kApiPrefix = "/api/v1/";
constexpr std::string_view kAlertmanagerPrefix = "/api/v2/";

// "GET POST", as endpoints say it, as the header Allow does: "GET, OPTIONS, POST".
std::string AllowedMethods(std::string_view methods, bool with_options) {
  std::set<std::string_view> sorted;
  if (with_options) sorted.insert("OPTIONS");
  while (!methods.empty()) {
    const std::size_t end = std::min(methods.find(' '), methods.size());
    sorted.insert(methods.substr(0, end));
    methods.remove_prefix(std::min(end + 1, methods.size()));
  }
  std::string text;
  for (const std::string_view method : sorted) {
    text += text.empty() ? "" : ", ";
    text += method;
  }
  return text;
}

// Written once a second by each worker: it is a tenth of what a short answer costs us.
const std::string& DateOfAnswer(WallTime now) {
  struct Written {
    std::int64_t second = -1;
    std::string text;
  };
  thread_local Written last;
  const std::int64_t second = ToUnixMillis(now) / 1000;
  if (second != last.second) last = {second, InternetDate(now, "GMT")};
  return last.text;
}

bool IsForm(const httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  return EqualIgnoringCase(TrimSpace(std::string_view(type).substr(0, type.find(';'))),
                           "application/x-www-form-urlencoded");
}

}  // namespace

class HttpServer::Rep {
 public:
  Rep(const ApiConfig& config, Context context)
      : context_(std::move(context)), authorization_(config) {}

  Result<> Add(const ApiConfig& config, ListenAddress& address) {
    TOCSIN_ASSIGN_OR_RETURN(const int fd, ListenOn(address));
    const bool plain = config.tls_cert_file.empty() || !address.unix_path.empty();
    auto server =
        plain ? MakeServer(fd) : MakeTlsServer(fd, config.tls_cert_file, config.tls_key_file);
    if (!server) {
      return Error{ErrorCode::kInvalidArgument,
                   "cannot use the certificate " + config.tls_cert_file + " with its key"};
    }
    SetUp(*server);
    servers_.push_back(std::move(server));
    return Result<>();
  }

  void Start() {
    for (const auto& server : servers_) {
      threads_.emplace_back([&server] { server->listen_after_bind(); });
    }
    // stop() before the accept loop runs would be lost.
    for (const auto& server : servers_) {
      while (!server->is_running()) std::this_thread::yield();
    }
  }

  void Stop() {
    for (const auto& server : servers_) {
      if (server->is_running()) server->stop();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void SetUp(httplib::Server& server) {
    server.set_keep_alive_max_count(kRequestsKept);
    // Bodies are bounded where they are read, by their endpoint.
    server.set_payload_max_length(std::numeric_limits<std::size_t>::max());
    const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                  const httplib::ContentReader& read) {
      AnswerWithBody(request, response, read);
    };
    server.Post(".*", with_body);
    server.Put(".*", with_body);
    server.Patch(".*", with_body);
    server.Delete(".*", with_body);
    // Requests without a body never reach the library's routes, which match paths
    // with std::regex; those with one do, after their path was found short.
    server.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          if (request.path.size() > kMaxPathBytes) {
            Write(PlainError(414, "the path is too long"), response);
            CloseBehind(response);
            return httplib::Server::HandlerResponse::Handled;
          }
          if (HasBrokenEscape(request.target)) {
            Write({400, "text/plain; charset=utf-8", "400 Bad Request", {}}, response);
            CloseBehind(response);
            return httplib::Server::HandlerResponse::Handled;
          }
          // The library reads such forms with std::regex, and counts no part's head.
          if (request.is_multipart_form_data()) {
            Write(PlainError(415,
                             "multipart/form-data is not taken: send "
                             "application/x-www-form-urlencoded"),
                  response);
            CloseBehind(response);
            return httplib::Server::HandlerResponse::Handled;
          }
          if (HasBody(request) && TakesBody(request.method)) {
            return httplib::Server::HandlerResponse::Unhandled;
          }
          Finish(Route(request), request, std::string(), response);
          if (HasBody(request)) CloseBehind(response);
          return httplib::Server::HandlerResponse::Handled;
        });
  }

  // The methods whose bodies the library reads.
  static bool TakesBody(std::string_view method) {
    return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
  }

  // Pages of other origins may ask the API what they may ask Prometheus'.
  static void AllowOrigin(const Request& request, httplib::Response& to) {
    if (!request.path.starts_with(kApiPrefix) || request.Header("Origin").empty()) return;
    to.set_header("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
    to.set_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    to.set_header("Access-Control-Allow-Origin", "*");
    to.set_header("Access-Control-Expose-Headers", "Date");
    to.set_header("Vary", "Origin");
  }

  // A request and where it leads: to an endpoint, or to a refusal.
  struct Routed {
    Request request;
    Match match;
    std::optional<Response> refusal;
    std::size_t path_params = 0;  // The first of the request's: nothing goes before them.

    // Of these methods Go reads forms.
    bool TakesForm(const httplib::Request& from) const {
      const bool with_form =
          from.method == "POST" || from.method == "PUT" || from.method == "PATCH";
      return with_form && IsForm(from) && !match.endpoint->raw_body;
    }
  };

  Routed Route(const httplib::Request& from) {
    Routed routed{HeadOf(from), {}, {}, 0};
    const std::size_t of_url = routed.request.params.size();
    routed.match = FindEndpoint(routed.request);
    routed.path_params = routed.request.params.size() - of_url;
    routed.refusal = Refuse(routed.request, routed.match, from.target);
    return routed;
  }

  void AnswerWithBody(const httplib::Request& request, httplib::Response& response,
                      const httplib::ContentReader& read) {
    Routed routed = Route(request);
    const std::size_t limit = routed.refusal ? 0 : routed.match.endpoint->max_body_bytes;
    std::string body;
    std::size_t received = 0;
    // The library's own limit does not see chunked bodies.
    const bool whole = read([&](const char* bytes, std::size_t size) {
      received += size;
      if (received > limit) {
        body = std::string();  // Gives the memory back.
      } else {
        body.append(bytes, size);
      }
      return received <= limit + kMaxDiscardedBytes;
    });
    if (routed.refusal) {
      AllowOrigin(routed.request, response);
      Write(*std::move(routed.refusal), response);
    } else if (received > limit) {
      Write(TooLarge(routed.request, limit), response);
    } else if (!whole) {
      Write(PlainError(400, "the body cannot be read"), response);
    } else {
      return Finish(std::move(routed), request, std::move(body), response);
    }
    if (!whole) CloseBehind(response);
  }

  static Response TooLarge(const Request& request, std::size_t limit) {
    const std::string text = fmt::format("the body is larger than {} bytes", limit);
    return request.path.starts_with(kAlertmanagerPrefix) ? AlertmanagerFault(413, 413, text)
                                                         : PlainError(413, text);
  }

  static bool HasBody(const httplib::Request& request) {
    const std::string length = request.get_header_value("Content-Length");
    return request.has_header("Transfer-Encoding") || (!length.empty() && length != "0");
  }

  static void CloseBehind(httplib::Response& response) {
    LeaveUnread();
    response.set_header("Connection", "close");
  }

  void Finish(Routed routed, const httplib::Request& from, std::string body,
              httplib::Response& to) {
    AllowOrigin(routed.request, to);
    if (routed.refusal) return Write(*std::move(routed.refusal), to);
    if (routed.TakesForm(from)) {
      // The form's go before the URL's, as in Prometheus.
      Form form = ParseForm(body);
      auto& params = routed.request.params;
      params.insert(params.begin() + static_cast<std::ptrdiff_t>(routed.path_params),
                    form.params.begin(), form.params.end());
      if (!form.error.empty()) routed.request.form_error = std::move(form.error);
    } else {
      routed.request.body = std::move(body);
    }
    if (!routed.request.form_error.empty() && !SpeaksForPrometheus(routed)) {
      return Write(PlainError(400, "error parsing form values: " + routed.request.form_error), to);
    }
    Write(Dispatch(*routed.match.endpoint, routed.request), to);
  }

  // Those read what is there of a broken form; a page of ours would be another one without
  // the parameter that is missing.
  static bool SpeaksForPrometheus(const Routed& routed) {
    return routed.request.path.starts_with(kApiPrefix) ||
           routed.request.path.starts_with(kAlertmanagerPrefix);
  }

  static Request HeadOf(const httplib::Request& from) {
    Request request;
    request.method = from.method;
    request.path = from.path;
    // Not the library's: it takes what follows the last "=" of a parameter for its value.
    const std::size_t mark = from.target.find('?');
    if (mark != from.target.npos) {
      Form form = ParseForm(std::string_view(from.target).substr(mark + 1));
      request.params = std::move(form.params);
      request.form_error = std::move(form.error);
    }
    request.headers.reserve(from.headers.size());
    for (const auto& [name, value] : from.headers) request.headers.emplace_back(name, value);
    return request;
  }

  void Write(Response response, httplib::Response& to) const {
    to.status = response.status;
    to.set_header("Date", DateOfAnswer(context_.clock.WallNow()));
    for (const auto& [name, value] : response.headers) to.set_header(name, value);
    if (!response.content_type.empty()) to.set_header("Content-Type", response.content_type);
    to.body = std::move(response.body);  // set_content() would copy it.
  }

  // The answer to who may not ask, or asks for what is not there.
  std::optional<Response> Refuse(const Request& request, const Match& match,
                                 const std::string& target) {
    const bool open = match.endpoint && match.endpoint->open;
    if (!open && !authorization_.Allows(request.Header("Authorization"))) {
      Response response = PlainError(401, "Unauthorized");
      response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"tocsin\"");
      return response;
    }
    if (const auto clean = CleanTarget(target)) return Moved(request.method, Escaped(*clean));
    const bool of_api = request.path.starts_with(kApiPrefix);
    if (of_api && request.method == "OPTIONS") return Response{204, "", "", {}};
    const bool of_alertmanager = request.path.starts_with(kAlertmanagerPrefix);
    if (!match.endpoint) {
      return of_alertmanager ? AlertmanagerNotFound(request.path)
                             : PlainError(404, "404 page not found");
    }
    if (!match.method_allowed) {
      Response response = of_alertmanager
                              ? AlertmanagerNotAllowed(request.method, match.endpoint->methods)
                              : PlainError(405, "Method Not Allowed");
      response.headers.emplace_back("Allow", AllowedMethods(match.endpoint->methods, of_api));
      return response;
    }
    return std::nullopt;
  }

  Response Dispatch(const Endpoint& endpoint, const Request& request) {
    if (endpoint.load == Load::kLight) return endpoint.answer(context_, request);
    const Turn turn(heavy_);
    if (!turn.granted()) {
      Response response = Failure(ErrorType::kUnavailable,
                                  "too many queries at once (" + std::to_string(kMaxHeavy) + ")");
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    return endpoint.answer(context_, request);
  }

  // One of the kMaxHeavy places, while it lives.
  class Turn {
   public:
    explicit Turn(std::atomic<int>& taken) : taken_(taken), granted_(++taken <= kMaxHeavy) {}
    ~Turn() { --taken_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool granted() const { return granted_; }

   private:
    std::atomic<int>& taken_;
    bool granted_;
  };

  Context context_;
  Authorization authorization_;
  std::atomic<int> heavy_ = 0;
  std::vector<std::unique_ptr<httplib::Server>> servers_;
  std::vector<std::thread> threads_;
};

HttpServer::HttpServer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Bind(const ApiConfig& config, Context context) {
  auto rep = std::make_unique<Rep>(config, std::move(context));
  std::vector<ListenAddress> addresses = config.listen;
  for (ListenAddress& address : addresses) TOCSIN_RETURN_IF_ERROR(rep->Add(config, address));
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(rep)));
  server->addresses_ = std::move(addresses);
  return server;
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Start() { rep_->Start(); }

void HttpServer::Stop() {
  rep_->Stop();
  for (const ListenAddress& address : addresses_) {
    if (!address.unix_path.empty()) unlink(address.unix_path.c_str());
  }
}

}  // namespace tocsin::api
