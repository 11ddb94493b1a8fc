#include "tests/demo/app/service.h"

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "daemon/base/text.h"
#include "tests/demo/app/cache.h"
#include "tests/demo/app/connection_pool.h"
#include "tests/demo/app/service_metrics.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

constexpr int kThreads = 96;  // Stalled requests keep one each.
constexpr std::chrono::minutes kAvailabilityLifetime{5};
constexpr std::chrono::milliseconds kStallStep{50};

std::int64_t Number(const httplib::Request& request, const char* name) {
  return ParseInt(request.get_param_value(name)).value_or(0);
}

void Answer(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(), "application/json");
}

void Fail(httplib::Response& response, const Error& error) {
  const int status = error.code == ErrorCode::kNotFound ? 404 : 503;
  Answer(response, status, {{"error", error.message}});
}

}  // namespace

struct Service::Impl {
  explicit Impl(const ServiceOptions& options)
      : port(options.port),
        cache(options.redis_port),
        pool({.dsn = options.database,
              .size = options.pool_size,
              .max_overflow = options.pool_overflow}) {
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server.set_tcp_nodelay(true);
    server.set_keep_alive_timeout(60);
  }

  using Endpoint = void (Impl::*)(const httplib::Request&, httplib::Response&);

  void Route();
  void Serve(const std::string& name, Endpoint endpoint, const httplib::Request& request,
             httplib::Response& response);
  void StallIfTold();

  void Login(const httplib::Request& request, httplib::Response& response);
  void Availability(const httplib::Request& request, httplib::Response& response);
  void Booking(const httplib::Request& request, httplib::Response& response);
  void Dashboard(const httplib::Request& request, httplib::Response& response);
  void Payment(const httplib::Request& request, httplib::Response& response);
  void Health(httplib::Response& response);
  void Leak(const httplib::Request& request, httplib::Response& response);
  void Stall(const httplib::Request& request, httplib::Response& response);

  const int port;
  httplib::Server server;
  Cache cache;
  ConnectionPool pool;
  ServiceMetrics metrics;
  std::atomic<std::int64_t> stall_ms{0};
  std::mutex leak_mutex;
  std::vector<ConnectionPool::Lease> leaked;
};

void Service::Impl::Route() {
  const auto user_endpoint = [this](const std::string& name, Endpoint endpoint) {
    return [this, name, endpoint](const httplib::Request& request, httplib::Response& response) {
      Serve(name, endpoint, request, response);
    };
  };
  server.Post("/login", user_endpoint("login", &Impl::Login));
  server.Get("/availability", user_endpoint("availability", &Impl::Availability));
  server.Post("/booking", user_endpoint("booking", &Impl::Booking));
  server.Get("/dashboard", user_endpoint("dashboard", &Impl::Dashboard));
  server.Post("/payment", user_endpoint("payment", &Impl::Payment));
  server.Get("/health", [this](const httplib::Request&, httplib::Response& response) {
    StallIfTold();
    Health(response);
  });
  server.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(metrics.Page(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.Post("/debug/leak", [this](const httplib::Request& request, httplib::Response& response) {
    Leak(request, response);
  });
  server.Post("/debug/stall", [this](const httplib::Request& request, httplib::Response& response) {
    Stall(request, response);
  });
}

void Service::Impl::Serve(const std::string& name, Endpoint endpoint,
                          const httplib::Request& request, httplib::Response& response) {
  const auto begin = std::chrono::steady_clock::now();
  if (const auto user = Number(request, "user"); user > 0) metrics.SeeUser(user);
  StallIfTold();
  (this->*endpoint)(request, response);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  metrics.CountRequest(name, taken.count());
}

// Waits as long as it was told when the request came, or until the stall ends.
void Service::Impl::StallIfTold() {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(stall_ms.load());
  while (stall_ms.load() > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kStallStep);
  }
}

void Service::Impl::Login(const httplib::Request& request, httplib::Response& response) {
  auto database = pool.CheckOut();
  if (!database.ok()) return Fail(response, database.error());
  const auto user = (*database)->Authenticate(request.get_param_value("email"),
                                              request.get_param_value("password"));
  if (!user.ok()) return Fail(response, user.error());
  if (!user->has_value()) return Answer(response, 401, {{"error", "wrong address or password"}});
  metrics.SeeUser(**user);
  Answer(response, 200, {{"user", **user}});
}

void Service::Impl::Availability(const httplib::Request& request, httplib::Response& response) {
  const int barber = static_cast<int>(Number(request, "barber"));
  const std::string day = request.get_param_value("day");
  const std::string key = "availability:" + std::to_string(barber) + ":" + day;
  if (const auto cached = cache.Get(key)) {
    response.set_header("X-Cache", "hit");
    response.set_content(*cached, "application/json");
    return;
  }
  response.set_header("X-Cache", "miss");
  auto database = pool.CheckOut();
  if (!database.ok()) return Fail(response, database.error());
  const auto slots = (*database)->TakenSlots(barber, day);
  if (!slots.ok()) return Fail(response, slots.error());
  json taken = json::array();
  for (const auto& slot : *slots) {
    taken.push_back({{"starts_at", slot.starts_at}, {"minutes", slot.minutes}});
  }
  const json body = {{"barber", barber}, {"day", day}, {"taken", taken}};
  cache.Set(key, body.dump(), kAvailabilityLifetime);
  Answer(response, 200, body);
}

void Service::Impl::Booking(const httplib::Request& request, httplib::Response& response) {
  const int barber = static_cast<int>(Number(request, "barber"));
  const std::string starts_at = request.get_param_value("starts_at");
  auto database = pool.CheckOut();
  if (!database.ok()) return Fail(response, database.error());
  const auto booked = (*database)->Book(Number(request, "user"), barber, starts_at);
  if (!booked.ok()) return Fail(response, booked.error());
  if (!booked->has_value()) return Answer(response, 409, {{"error", "the slot is taken"}});
  cache.Delete("availability:" + std::to_string(barber) + ":" + starts_at.substr(0, 10));
  metrics.CountBooking();
  Answer(response, 201, {{"appointment", **booked}});
}

void Service::Impl::Dashboard(const httplib::Request& request, httplib::Response& response) {
  auto database = pool.CheckOut();
  if (!database.ok()) return Fail(response, database.error());
  const auto days = (*database)->Dashboard(static_cast<int>(Number(request, "barber")));
  if (!days.ok()) return Fail(response, days.error());
  json body = json::array();
  for (const auto& day : *days) {
    body.push_back({{"day", day.day},
                    {"appointments", day.appointments},
                    {"revenue_cents", day.revenue_cents}});
  }
  Answer(response, 200, body);
}

void Service::Impl::Payment(const httplib::Request& request, httplib::Response& response) {
  auto database = pool.CheckOut();
  if (!database.ok()) return Fail(response, database.error());
  const auto paid = (*database)->Pay(Number(request, "appointment"), Number(request, "cents"));
  if (!paid.ok()) return Fail(response, paid.error());
  Answer(response, 200, {{"paid", true}});
}

void Service::Impl::Health(httplib::Response& response) {
  const auto status = pool.status();
  Answer(response, 200,
         {{"status", "healthy"},
          {"pool",
           {{"size", status.size},
            {"checked_in", status.checked_in},
            {"checked_out", status.checked_out},
            {"overflow", status.overflow},
            {"max_overflow", status.max_overflow}}}});
}

void Service::Impl::Leak(const httplib::Request& request, httplib::Response& response) {
  const auto wanted = static_cast<std::size_t>(Number(request, "connections"));
  const std::lock_guard lock(leak_mutex);
  while (leaked.size() > wanted) leaked.pop_back();
  while (leaked.size() < wanted) {
    auto lease = pool.CheckOut();
    if (!lease.ok()) return Fail(response, lease.error());
    leaked.push_back(std::move(lease).value());
  }
  Answer(response, 200, {{"leaked", leaked.size()}});
}

void Service::Impl::Stall(const httplib::Request& request, httplib::Response& response) {
  stall_ms = Number(request, "seconds") * 1000;
  Answer(response, 200, {{"stall_ms", stall_ms.load()}});
}

Service::Service(const ServiceOptions& options) : impl_(std::make_unique<Impl>(options)) {
  impl_->Route();
}

Service::~Service() = default;

Result<> Service::Run() {
  if (!impl_->server.bind_to_port("127.0.0.1", impl_->port)) {
    return Error{ErrorCode::kUnavailable,
                 "cannot listen on 127.0.0.1:" + std::to_string(impl_->port)};
  }
  impl_->server.listen_after_bind();
  return {};
}

void Service::Stop() {
  impl_->stall_ms = 0;
  impl_->server.stop();
}

}  // namespace tocsin::demo
