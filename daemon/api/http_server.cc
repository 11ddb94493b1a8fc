#include "daemon/api/http_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "daemon/api/alertmanager_answers.h"
#include "daemon/api/authorization.h"
#include "daemon/api/connection_server.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/json_text.h"
#include "daemon/api/listen_socket.h"
#include "daemon/api/request_target.h"
#include "daemon/api/server_certificate.h"
#include "daemon/base/ascii.h"
#include "daemon/base/gzip.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

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

// Whether its Content-Type is this one, whatever parameters it has.
bool HasType(const RequestHead& head, std::string_view wanted) {
  const std::string_view type = head.Header("Content-Type");
  return EqualIgnoringCase(TrimSpace(type.substr(0, type.find(';'))), wanted);
}

// Of these methods Go reads forms.
bool MayHaveForm(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

class HttpServer::Rep {
 public:
  Rep(const ApiConfig& config, Context context)
      : context_(std::move(context)), authorization_(config) {}

  Result<> Add(const ApiConfig& config, ListenAddress& address) {
    std::shared_ptr<ssl_ctx_st> tls;
    if (!config.tls_cert_file.empty() && address.unix_path.empty()) {
      tls = LoadServerCertificate(config.tls_cert_file, config.tls_key_file);
      if (tls == nullptr) {
        return Error{ErrorCode::kInvalidArgument,
                     "cannot use the certificate " + config.tls_cert_file + " with its key"};
      }
    }
    TOCSIN_ASSIGN_OR_RETURN(const int fd, ListenOn(address));
    servers_.push_back(std::make_unique<ConnectionServer>(
        fd, std::move(tls), kWorkers, context_.clock,
        [this](RequestHead& head, RequestReader& reader) { return Answer(head, reader); }));
    return Result<>();
  }

  void Start() {
    for (const auto& server : servers_) server->Start();
  }

  void Stop() {
    for (const auto& server : servers_) server->Stop();
  }

 private:
  // Pages of other origins may ask the API what they may ask Prometheus'.
  static void AllowOrigin(Response& response) {
    auto& headers = response.headers;
    headers.emplace_back("Access-Control-Allow-Headers",
                         "Accept, Authorization, Content-Type, Origin");
    headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    headers.emplace_back("Access-Control-Allow-Origin", "*");
    headers.emplace_back("Access-Control-Expose-Headers", "Date");
    headers.emplace_back("Vary", "Origin");
  }

  // A request and where it leads: to an endpoint, or to a refusal.
  struct Routed {
    Request request;
    Match match;
    std::optional<Response> refusal;
    std::size_t path_params = 0;  // The first of the request's: nothing goes before them.
    bool has_form = false;        // Its body.
  };

  Response Answer(RequestHead& head, RequestReader& reader) {
    Routed routed = Route(head);
    const bool other_origin =
        routed.request.path.starts_with(kApiPrefix) && !routed.request.Header("Origin").empty();
    Response response = AnswerRouted(routed, reader);
    if (other_origin) AllowOrigin(response);
    return response;
  }

  Routed Route(RequestHead& head) {
    Routed routed;
    routed.has_form =
        MayHaveForm(head.method) && HasType(head, "application/x-www-form-urlencoded");
    const bool has_parts = HasType(head, "multipart/form-data");
    const std::string_view target = PathAndQuery(head.target);
    Request& request = routed.request;
    request = RequestOf(head, target);
    const std::size_t of_url = request.params.size();
    routed.match = FindEndpoint(request);
    routed.path_params = request.params.size() - of_url;
    routed.has_form = routed.has_form && routed.match.endpoint &&
                      routed.match.endpoint->body_use == BodyUse::kForm;
    routed.refusal = Refuse(request, routed.match, target);
    if (!routed.refusal && has_parts) {
      routed.refusal = PlainError(415,
                                  "multipart/form-data is not taken: send "
                                  "application/x-www-form-urlencoded");
    }
    return routed;
  }

  Response AnswerRouted(Routed& routed, RequestReader& reader) {
    Request& request = routed.request;
    // Of the other methods nobody expects a body: it is not read, and the connection ends.
    if (MayHaveForm(request.method) || request.method == "DELETE") {
      const std::size_t limit = routed.refusal ? 0 : routed.match.endpoint->max_body_bytes;
      const auto read = reader.ReadBody(limit, request.body);
      if (!routed.refusal && read == RequestReader::Body::kTooLarge) {
        return TooLarge(request, limit);
      }
      if (!routed.refusal && read == RequestReader::Body::kBroken) {
        return PlainError(400, "the body cannot be read");
      }
      // Of which remote write's senders lose nothing: they come again.
      if (!routed.refusal && read == RequestReader::Body::kCutShort) {
        return PlainError(503, "the body did not come in time");
      }
    }
    if (routed.refusal) return *std::move(routed.refusal);
    return Dispatch(routed);
  }

  // The answer to a body that cannot be unpacked.
  static std::optional<Response> Unpack(const Endpoint& endpoint, Request& request) {
    const std::string encoding = request.Header("Content-Encoding");
    const bool as_sent = endpoint.body_use == BodyUse::kAsSent || encoding.empty() ||
                         EqualIgnoringCase(encoding, "identity");
    if (as_sent || request.body.empty()) return std::nullopt;
    if (!EqualIgnoringCase(encoding, "gzip")) {
      return PlainError(415, encoding + " encoding is not accepted by this server; only gzip is");
    }
    auto unpacked = Gunzip(request.body, endpoint.max_body_bytes);
    if (unpacked.ok()) {
      request.body = *std::move(unpacked);
      return std::nullopt;
    }
    if (unpacked.error().code == ErrorCode::kResourceExhausted) {
      return TooLarge(request, endpoint.max_body_bytes);
    }
    return PlainError(400, "the body: " + unpacked.error().message);
  }

  // The form's parameters go before the URL's, as in Prometheus.
  static void TakeForm(Routed& routed) {
    Request& request = routed.request;
    Form form = ParseForm(request.body);
    request.body = std::string();
    request.params.insert(request.params.begin() + static_cast<std::ptrdiff_t>(routed.path_params),
                          std::make_move_iterator(form.params.begin()),
                          std::make_move_iterator(form.params.end()));
    if (!form.error.empty()) request.form_error = std::move(form.error);
  }

  static Response TooLarge(const Request& request, std::size_t limit) {
    const std::string text = fmt::format("the body is larger than {} bytes", limit);
    return request.path.starts_with(kAlertmanagerPrefix) ? AlertmanagerFault(413, 413, text)
                                                         : PlainError(413, text);
  }

  // Those read what is there of a broken form; a page of ours would be another one without
  // the parameter that is missing.
  static bool SpeaksForPrometheus(const Request& request) {
    return request.path.starts_with(kApiPrefix) || request.path.starts_with(kAlertmanagerPrefix);
  }

  static Request RequestOf(RequestHead& head, std::string_view target) {
    Request request;
    request.method = std::move(head.method);
    request.headers = std::move(head.headers);
    const std::size_t mark = std::min(target.find('?'), target.size());
    request.path = DecodePath(target.substr(0, mark));
    if (mark < target.size()) {
      Form form = ParseForm(target.substr(mark + 1));
      request.params = std::move(form.params);
      request.form_error = std::move(form.error);
    }
    return request;
  }

  // The answer to who may not ask, or asks for what is not there.
  std::optional<Response> Refuse(const Request& request, const Match& match,
                                 std::string_view target) {
    if (HasBrokenEscape(target)) {
      return Response{400, "text/plain; charset=utf-8", "400 Bad Request", {}};
    }
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

  Response Dispatch(Routed& routed) {
    if (routed.match.endpoint->load == Load::kLight) return AnswerOfEndpoint(routed);
    const Turn turn(heavy_);
    if (!turn.granted()) {
      Response response = Failure(ErrorType::kUnavailable,
                                  "too many queries at once (" + std::to_string(kMaxHeavy) + ")");
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    return AnswerOfEndpoint(routed);
  }

  Response AnswerOfEndpoint(Routed& routed) {
    const Endpoint& endpoint = *routed.match.endpoint;
    Request& request = routed.request;
    if (auto refusal = Unpack(endpoint, request)) return *std::move(refusal);
    if (routed.has_form) TakeForm(routed);
    if (!request.form_error.empty() && !SpeaksForPrometheus(request)) {
      return PlainError(400, "error parsing form values: " + request.form_error);
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
  std::vector<std::unique_ptr<ConnectionServer>> servers_;
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
  if (std::exchange(stopped_, true)) return;  // The sockets' names may be somebody else's now.
  rep_->Stop();
  for (const ListenAddress& address : addresses_) {
    if (!address.unix_path.empty()) unlink(address.unix_path.c_str());
  }
}

}  // namespace tocsin::api
