#include "collectors/pgbouncer/pgbouncer.h"

#include <fmt/format.h>

#include <libpq-fe.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/pgbouncer/console.h"
#include "collectors/pgbouncer/subjects.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::pgbouncer {
namespace {

using model::MetricBatch;
using model::MetricType;

class PgbouncerCollector : public Collector {
 public:
  PgbouncerCollector(ConsoleAddress address, Names names)
      : address_(std::move(address)), names_(names) {}

  Result<> Collect(const CollectContext& context, MetricBatch& batch) override {
    Deadline deadline(context.clock, context.deadline, context.stop);
    TOCSIN_RETURN_IF_ERROR(Connect(deadline));
    Result<> collected = CollectSubjects(deadline, batch);
    if (console_->broken()) console_.reset();
    return collected;
  }

 private:
  Result<> Connect(const Deadline& deadline) {
    if (console_ != nullptr && console_->LostWhileIdle()) console_.reset();
    if (console_ == nullptr) {
      TOCSIN_ASSIGN_OR_RETURN(console_, Console::Open(address_, deadline));
    }
    return {};
  }

  // A refused SHOW costs only itself, unless all are; a broken connection ends all.
  Result<> CollectSubjects(const Deadline& deadline, MetricBatch& batch) {
    auto success = batch.DeclareFamily("tocsin_pgbouncer_collector_success",
                                       "1 if the SHOW command was answered", MetricType::kGauge,
                                       {"collector"});
    auto duration =
        batch.DeclareFamily("tocsin_pgbouncer_collector_duration_seconds",
                            "Time the SHOW command took", MetricType::kGauge, {"collector"});
    auto left_out =
        batch.DeclareFamily("tocsin_pgbouncer_collector_left_out_rows",
                            "Rows of the SHOW command that exceeded a limit and are in no series",
                            MetricType::kGauge, {"collector"});
    std::optional<Error> refused;
    bool any = false;
    for (const Subject& subject : Subjects()) {
      SteadyTime started = deadline.clock().SteadyNow();
      batch.BeginPart(subject.name);
      auto collected = subject.collect(subject, names_, *console_, deadline, batch);
      if (!collected.ok()) batch.FailPart(collected.error().message);
      batch.EndPart();
      if (console_->broken()) return collected.error();
      batch.Add(success, {subject.name}, collected.ok() ? 1 : 0);
      batch.Add(duration, {subject.name}, ToSeconds(deadline.clock().SteadyNow() - started));
      if (collected.ok()) {
        any = true;
        batch.Add(left_out, {subject.name}, static_cast<double>(*collected));
      } else {
        batch.AddNote(collected.error().message +
                      "; list the user in PgBouncer's stats_users to allow it");
        if (!refused.has_value()) refused = collected.error();
      }
    }
    if (!any) return *refused;
    return {};
  }

  ConsoleAddress address_;
  Names names_;
  std::unique_ptr<Console> console_;  // Null between a failure and the next collection.
};

struct OptionsFree {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  auto port = ParseInt(text);
  if (!port.has_value() || *port < 1 || *port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

// Takes one keyword of the dsn; what is wrong with it, or empty.
std::string TakeKeyword(std::string_view keyword, const std::string& value,
                        ConsoleAddress& address) {
  if (keyword == "host" || keyword == "hostaddr") {
    if (value.find(',') != std::string::npos) {
      return "names several hosts; each PgBouncer is a target of its own";
    }
    if (keyword == "host" || address.host.empty()) address.host = value;
  } else if (keyword == "port") {
    auto port = ParsePort(value);
    if (!port.has_value()) return "port must be between 1 and 65535";
    address.port = *port;
  } else if (keyword == "password") {
    address.password = Secret(value);
  } else if (keyword == "options") {
    return "PgBouncer's console takes no \"options\"";
  } else if (keyword == "replication") {
    return "PgBouncer's console takes no \"replication\"";
  } else {
    address.parameters.emplace_back(keyword, value);
  }
  return {};
}

bool HasParameter(const ConsoleAddress& address, std::string_view name) {
  for (const auto& [key, value] : address.parameters) {
    if (key == name) return true;
  }
  return false;
}

void AddDefaults(ConsoleAddress& address) {
  constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
      {"dbname", "pgbouncer"},
      {"application_name", "tocsin"},
      {"gssencmode", "disable"},  // Kerberos would look names up without a deadline.
  };
  if (address.host.empty()) address.host = "/var/run/postgresql";
  for (const auto& [key, value] : kDefaults) {
    if (!HasParameter(address, key)) address.parameters.emplace_back(key, value);
  }
}

ConsoleAddress ParseDsn(ConfigReader& reader, const std::string& dsn) {
  ConsoleAddress address;
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, OptionsFree> options(PQconninfoParse(dsn.c_str(), &message));
  PQfreemem(message);  // Not shown: it quotes the dsn, which may hold a password.
  if (options == nullptr) {
    reader.Fail("dsn",
                "not a connection string (write \"host=… port=6432 user=… dbname=pgbouncer\" or "
                "\"postgresql://user@host:6432/pgbouncer\")");
    return address;
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || *option->val == '\0') continue;
    std::string wrong = TakeKeyword(option->keyword, option->val, address);
    if (!wrong.empty()) reader.Fail("dsn", wrong);
  }
  AddDefaults(address);
  return address;
}

}  // namespace

ParsedTarget ParsePgbouncerTarget(ConfigReader& reader, FileSystem& files) {
  std::string dsn = reader.RequiredString("dsn");
  Secret password = reader.SecretValue("password", files);
  constexpr Names kNames[] = {Names::k012, Names::k010, Names::kAll};
  const Names names = kNames[reader.Choice("names", {"0.12", "0.10", "all"}, 0)];
  ConsoleAddress address;
  if (!dsn.empty()) address = ParseDsn(reader, dsn);
  if (!password.empty()) address.password = std::move(password);

  ParsedTarget target;
  bool v6 = address.host.find(':') != std::string::npos;
  target.instance =
      fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
  target.address = target.instance + "/pgbouncer";
  for (const auto& [key, value] : address.parameters) {
    if (key == "dbname") target.address = target.instance + "/" + value;
  }
  target.make = [address, names](const CollectorEnvironment&) -> AnyCollector {
    return std::make_unique<PgbouncerCollector>(address, names);
  };
  return target;
}

}  // namespace tocsin::collectors::pgbouncer
