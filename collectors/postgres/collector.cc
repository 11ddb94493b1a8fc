#include "collectors/postgres/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "collectors/postgres/text_encoding.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// Backends of ours that may still hang in the server; with that many, connecting
// waits between attempts.
constexpr std::size_t kMostHung = 3;
constexpr std::chrono::seconds kPauseWhenHung{60};
constexpr std::chrono::seconds kExtensionsInterval{60};  // Between two looks for them.

}  // namespace

PostgresCollector::PostgresCollector(PostgresOptions options,
                                     const CollectorEnvironment& environment)
    : options_(std::move(options)),
      connection_(options_, environment.clock, environment.files),
      log_(options_, environment.files),
      tour_(options_, environment.clock, environment.files) {
  for (const Subject& subject : Subjects()) {
    if (options_.IsOn(subject.name, subject.on)) tasks_.emplace_back(subject);
  }
  for (const CustomQuery& query : options_.queries) tasks_.emplace_back(query);
}

Result<> PostgresCollector::Collect(const CollectContext& context, model::MetricBatch& batch) {
  const SteadyTime start = context.clock.SteadyNow();
  ++collections_;
  errors_.clear();
  auto prepared = Prepare(context);
  if (prepared.ok()) prepared = RunTasks(context, batch);
  if (prepared.ok()) {
    VisitDatabases(context);
    const SteadyTime now = context.clock.SteadyNow();
    for (SubjectTask& task : tasks_) {
      if (task.query() == nullptr) ShowTask(task, now, batch);
    }
    if (options_.log.enabled) {
      for (const int pid : tour_.Visitors()) log_.Ignore(pid);
    }
    log_.Collect(context, connection_, server_, batch);
    ReportServer(batch);
    // Last: no name that a query of the user's takes is one of ours.
    for (SubjectTask& task : tasks_) {
      if (task.query() != nullptr) ShowTask(task, now, batch);
    }
    ReportTasks(now, batch);
    ReportCollection(ToSeconds(context.clock.SteadyNow() - start), batch);
  }
  connection_.End();
  return prepared;
}

// Connects if need be and asks what every subject needs. A kept connection may
// have died since the last collection (a restart): then a new one is tried at once.
Result<> PostgresCollector::Prepare(const CollectContext& context) {
  const auto whole = std::chrono::floor<Millis>(context.deadline - context.clock.SteadyNow());
  for (int attempt = 0;; ++attempt) {
    if (connection_.lost() && hung_.size() >= kMostHung &&
        context.clock.SteadyNow() < no_connection_before_) {
      return Error{ErrorCode::kUnavailable,
                   fmt::format("{} connections did not answer: waiting before opening another",
                               hung_.size())};
    }
    TOCSIN_ASSIGN_OR_RETURN(const bool is_new, connection_.Begin(context));
    const auto outcome = [&]() -> Result<> {
      if (is_new) {
        statement_timeout_ = SubjectTask::StatementTimeout(whole);
        backend_pid_ = connection_.backend_pid();
        TOCSIN_ASSIGN_OR_RETURN(server_, PrepareSession(connection_, statement_timeout_));
        extensions_read_at_ = context.clock.SteadyNow();
        extensions_doubted_ = false;
        tour_.ForgetFailures();
      } else {
        TOCSIN_RETURN_IF_ERROR(RefreshFacts(context.clock.SteadyNow()));
      }
      TOCSIN_RETURN_IF_ERROR(ForgetEndedBackends());
      return ReadDatabases();
    }();
    if (outcome.ok()) return outcome;
    const bool is_lost = connection_.lost();
    connection_.Close();
    if (is_lost && outcome.error().code == ErrorCode::kDeadlineExceeded) {
      hung_.push_back({backend_pid_, {}, {}});
      no_connection_before_ = context.clock.SteadyNow() + kPauseWhenHung;
    }
    const bool died_since =
        is_lost && !is_new && attempt == 0 && outcome.error().code == ErrorCode::kUnavailable;
    if (!died_since) return outcome;
  }
}

// What may come while a connection is kept: a grant, an extension. A server that does not
// tell is no reason to give up, unless it is gone.
Result<> PostgresCollector::RefreshFacts(SteadyTime now) {
  if (!server_.blind_role.empty()) {
    auto role = FindBlindRole(connection_);
    if (!role.ok() && connection_.lost()) return role.error();
    if (role.ok()) server_.blind_role = *std::move(role);
  }
  const bool in_doubt = server_.statements_schema.empty() || extensions_doubted_;
  if (in_doubt && now - extensions_read_at_ >= kExtensionsInterval) {
    extensions_read_at_ = now;
    extensions_doubted_ = false;
    const auto read = RefreshExtensions(connection_, server_);
    if (!read.ok() && connection_.lost()) return read.error();
  }
  return {};
}

// A subject whose backend still hangs is not asked again before that one is gone.
Result<> PostgresCollector::ForgetEndedBackends() {
  if (hung_.empty()) return {};
  std::string pids;
  for (const auto& one : hung_) pids += (pids.empty() ? "" : ",") + std::to_string(one.pid);
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      connection_.Query("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'tocsin%'"
                        " AND pid <> pg_backend_pid() AND pid IN (" +
                        pids + ")"));
  std::erase_if(hung_, [&](const HungBackend& one) {
    for (int row = 0; row < rows.size(); ++row) {
      if (rows.Text(row, 0) == std::to_string(one.pid)) return false;
    }
    return true;
  });
  return {};
}

// Of more than the limit, the target's own first and the templates, where nothing happens, last.
Result<> PostgresCollector::ReadDatabases() {
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows,
      connection_.Query("SELECT oid, datname, datconnlimit, datallowconn, age(datfrozenxid),"
                        " mxid_age(datminmxid), datistemplate,"
                        " has_database_privilege(oid, 'CONNECT') AND datconnlimit <> -2,"
                        " (datminmxid::text::bigint + mxid_age(datminmxid)) % 4294967296,"
                        " datname = current_database()"
                        " FROM pg_database"
                        " ORDER BY datname <> current_database(), datistemplate, oid"));
  databases_.clear();
  databases_left_out_ = 0;
  for (int row = 0; row < rows.size(); ++row) {
    if (!options_.databases.Allows(rows.Text(row, 1))) continue;
    if (databases_.size() >= static_cast<std::size_t>(options_.database_limit)) {
      ++databases_left_out_;
      continue;
    }
    const std::string name(rows.Text(row, 1));
    databases_.push_back({std::string(rows.Text(row, 0)), name, name, rows.Text(row, 9) == "t",
                          rows.Number(row, 2).value_or(-1), rows.Text(row, 3) == "t",
                          rows.Number(row, 4).value_or(0), rows.Number(row, 5).value_or(0),
                          rows.Number(row, 8).value_or(0), rows.Text(row, 6) == "t",
                          rows.Text(row, 7) == "t"});
  }
  return ReadNamesAsTheyAre();
}

// Whoever connects names a database byte by byte, and is understood in no encoding.
Result<> PostgresCollector::ReadNamesAsTheyAre() {
  const std::string encoding = connection_.server_encoding();
  const bool are_shown_so = encoding == "UTF8" || encoding == "SQL_ASCII" ||
                            std::all_of(databases_.begin(), databases_.end(),
                                        [](const Database& one) { return IsAscii(one.name); });
  if (are_shown_so) return {};
  TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                          connection_.QueryBytes("SELECT oid, datname FROM pg_database"));
  for (int row = 0; row < rows.size(); ++row) {
    const auto known = std::find_if(databases_.begin(), databases_.end(),
                                    [&](const auto& one) { return one.oid == rows.Text(row, 0); });
    if (known != databases_.end()) known->bytes = rows.Text(row, 1);
  }
  return {};
}

// On the kept connection: all but what the tour asks in each database.
bool PostgresCollector::RunsHere(const SubjectTask& task) const {
  if (task.query() == nullptr) return task.scope() == Scope::kServer;
  return task.query()->database.empty() || task.query()->database == server_.database;
}

Result<> PostgresCollector::RunTasks(const CollectContext& context, model::MetricBatch& batch) {
  for (SubjectTask& task : tasks_) {
    if (!RunsHere(task) || !task.IsDue(context.clock.SteadyNow())) continue;
    if (!task.IsSlow()) batch.BeginPart(task.name());
    const auto outcome = RunTask(task, context, batch);
    if (!outcome.ok() && outcome.error().code == ErrorCode::kNotFound && task.query() == nullptr) {
      extensions_doubted_ = true;
    }
    if (!task.IsSlow()) {
      if (!task.error().empty()) batch.FailPart(task.error());
      batch.EndPart();
    }
    if (!connection_.lost()) continue;
    if (outcome.ok() || outcome.error().code == ErrorCode::kDeadlineExceeded) {
      hung_.push_back({backend_pid_, std::string(task.name()), server_.database});
      no_connection_before_ = context.clock.SteadyNow() + kPauseWhenHung;
    }
    return outcome.ok() ? Error{ErrorCode::kUnavailable, "the connection was lost"}
                        : outcome.error().WithContext(task.name());
  }
  return {};
}

Result<> PostgresCollector::RunTask(SubjectTask& task, const CollectContext& context,
                                    model::MetricBatch& batch) {
  if (StillHangs(hung_, task.name(), server_.database)) {
    const Error error{ErrorCode::kUnavailable, std::string(HungBackend::kReason)};
    task.Miss(context.clock.SteadyNow(), error.message);
    return error;
  }
  return task.Run({connection_, server_, options_, databases_, statement_timeout_}, context, batch);
}

void PostgresCollector::VisitDatabases(const CollectContext& context) {
  if (hung_.size() < kMostHung) {
    auto hung = tour_.Visit(context, connection_, server_, databases_, hung_);
    if (hung) hung_.push_back(*std::move(hung));
  }
  tour_.ForgetOldRows();
}

void PostgresCollector::ShowTask(SubjectTask& task, SteadyTime now, model::MetricBatch& batch) {
  if (task.IsSlow()) {
    task.ForgetOldRows(now, task.RowsLast());
    batch.BeginPart(task.name());
    auto outcome = task.Show(batch);
    const auto elsewhere = tour_.Show(task.name(), batch);
    if (outcome.ok()) outcome = OutcomeOf(task);
    if (outcome.ok()) outcome = elsewhere;
    if (!outcome.ok()) {
      errors_[std::string(task.name())] = outcome.error().message;
      batch.FailPart(outcome.error().message);
    }
    batch.EndPart();
  } else if (!task.error().empty()) {
    errors_[std::string(task.name())] = task.error();
  }
}

Result<> PostgresCollector::OutcomeOf(const SubjectTask& task) const {
  if (!task.error().empty()) return Error{ErrorCode::kUnavailable, task.error()};
  if (task.query() != nullptr && !RunsHere(task) && !tour_.Has(task.name())) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("database \"{}\" is not there, may not be connected to, or is left "
                             "out by \"databases\"",
                             task.query()->database)};
  }
  return {};
}

void PostgresCollector::ReportTasks(SteadyTime now, model::MetricBatch& batch) const {
  const auto success =
      batch.DeclareFamily("pg_scrape_collector_success", "Whether a collector succeeded",
                          MetricType::kGauge, {"collector"});
  const auto duration =
      batch.DeclareFamily("pg_scrape_collector_duration_seconds", "How long a collector took",
                          MetricType::kGauge, {"collector"});
  const auto age =
      batch.DeclareFamily("tocsin_postgres_collector_age_seconds",
                          "Age of the oldest number shown of a collector that does not read all of "
                          "them at every poll; table_sizes are those of stat_user_tables",
                          MetricType::kGauge, {"collector"});
  OldestReads oldest;
  tour_.AddOldestReads(oldest);
  for (const SubjectTask& task : tasks_) {
    const auto name = task.name();
    const auto error = errors_.find(name);
    batch.Add(success, {name}, error == errors_.end() ? 1 : 0);
    batch.Add(duration, {name}, std::max(task.duration_seconds(), tour_.LongestRunSeconds(name)));
    task.AddOldestReads(oldest);
    if (error != errors_.end()) batch.AddNote(fmt::format("{}: {}", name, error->second));
  }
  for (const auto& [name, at] : oldest) batch.Add(age, {name}, ToSeconds(now - at));
  tour_.Report(batch);
}

void PostgresCollector::ReportCollection(double seconds, model::MetricBatch& batch) const {
  batch.AddGauge("pg_exporter_last_scrape_duration_seconds",
                 "Duration of the last scrape of metrics from PostgreSQL", seconds);
  batch.AddCounter("pg_exporter_scrapes_total",
                   "Total number of times PostgreSQL was scraped for metrics", collections_);
  batch.AddGauge("pg_exporter_last_scrape_error",
                 "Whether the last scrape of metrics from PostgreSQL resulted in an error (1 for "
                 "error, 0 for success)",
                 errors_.empty() ? 0 : 1);
}

void PostgresCollector::ReportServer(model::MetricBatch& batch) const {
  if (!server_.blind_role.empty()) {
    batch.AddNote(fmt::format(
        "role {0} may not read what other users do: their connections read as none in "
        "pg_stat_activity_count and their transactions have no duration, so that alerts on the "
        "connection pool and on long transactions stay silent; GRANT pg_monitor TO {0}",
        server_.blind_role));
  }
  const auto version =
      batch.DeclareFamily("pg_static", "Version string as reported by postgres",
                          MetricType::kUnknown, {"server", "version", "short_version"});
  batch.Add(version, {options_.instance, server_.version_text, server_.short_version}, 1);
  batch.AddGauge("tocsin_postgres_databases_left_out",
                 "Databases without series of their own, because of the limit",
                 databases_left_out_);
  batch.AddGauge("tocsin_postgres_hung_backends",
                 "Connections of ours that did not answer and may still hang in the server",
                 static_cast<double>(hung_.size()));
}

}  // namespace tocsin::collectors::postgres
