#include "collectors/pgbouncer/pgbouncer.h"

#include <memory>
#include <optional>
#include <utility>

#include "collectors/pgbouncer/console.h"
#include "collectors/pgbouncer/console_dsn.h"
#include "collectors/pgbouncer/subjects.h"
#include "daemon/base/host_port.h"

namespace tocsin::collectors::pgbouncer {
namespace {

using model::MetricBatch;
using model::MetricType;

class PgbouncerCollector : public Collector {
 public:
  PgbouncerCollector(ConsoleAddress address, Names names, FileSystem& files)
      : address_(std::move(address)), names_(names), files_(files) {}

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
      address_.password.Renew(files_);
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
  FileSystem& files_;
  std::unique_ptr<Console> console_;  // Null between a failure and the next collection.
};

}  // namespace

ParsedTarget ParsePgbouncerTarget(ConfigReader& reader, FileSystem& files) {
  std::string dsn = reader.RequiredString("dsn");
  Secret password = reader.SecretValue("password", files);
  constexpr Names kNames[] = {Names::k012, Names::k010, Names::kAll};
  const Names names = kNames[reader.Choice("names", {"0.12", "0.10", "all"}, 0)];
  ConsoleAddress address;
  if (!dsn.empty()) {
    auto parsed = ParseConsoleDsn(dsn);
    if (parsed.ok()) {
      address = *std::move(parsed);
    } else {
      reader.Fail("dsn", parsed.error().message);
    }
  }
  if (!password.empty()) address.password = std::move(password);

  ParsedTarget target;
  target.instance = HostPortText(address.host, address.port);
  target.address = target.instance + "/pgbouncer";
  for (const auto& [key, value] : address.parameters) {
    if (key == "dbname") target.address = target.instance + "/" + value;
  }
  target.examine = [address, names](const CollectorEnvironment& environment,
                                    const CollectContext& context) {
    PgbouncerCollector collector(address, names, environment.files);
    return ExamineByCollecting(collector, context, RemedyFor);
  };
  target.make = [address, names](const CollectorEnvironment& environment) -> AnyCollector {
    return std::make_unique<PgbouncerCollector>(address, names, environment.files);
  };
  return target;
}

}  // namespace tocsin::collectors::pgbouncer
