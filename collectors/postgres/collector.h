#pragma once

// One collection of a PostgreSQL server: connects if need be, runs the subjects
// within the deadline, each failing alone, visits those of the databases whose turn it
// is, and reads on in the server's log.

#include <map>
#include <string>
#include <vector>

#include "collectors/collector.h"
#include "collectors/postgres/connection.h"
#include "collectors/postgres/database_tour.h"
#include "collectors/postgres/postgres_config.h"
#include "collectors/postgres/query_log.h"
#include "collectors/postgres/server_facts.h"
#include "collectors/postgres/subject_task.h"

namespace tocsin::collectors::postgres {

class PostgresCollector : public Collector {
 public:
  PostgresCollector(PostgresOptions options, const CollectorEnvironment& environment);

  Result<> Collect(const CollectContext& context, model::MetricBatch& batch) override;

 private:
  Result<> Prepare(const CollectContext& context);
  Result<> RefreshFacts(SteadyTime now);
  Result<> ReadDatabases();
  Result<> ReadNamesAsTheyAre();
  Result<> ForgetEndedBackends();
  Result<> RunTasks(const CollectContext& context, model::MetricBatch& batch);
  Result<> RunTask(SubjectTask& task, const CollectContext& context, model::MetricBatch& batch);
  // The kept rows of one, those of all databases.
  void ShowTask(SubjectTask& task, SteadyTime now, model::MetricBatch& batch);
  void VisitDatabases(const CollectContext& context);
  // Of one task, here or in all databases: as it ended the last time.
  Result<> OutcomeOf(const SubjectTask& task) const;
  bool RunsHere(const SubjectTask& task) const;
  void ReportServer(model::MetricBatch& batch) const;
  void ReportTasks(SteadyTime now, model::MetricBatch& batch) const;
  void ReportCollection(double seconds, model::MetricBatch& batch) const;

  const PostgresOptions options_;
  Connection connection_;
  QueryLog log_;
  std::vector<SubjectTask> tasks_;  // On the kept connection; the user's queries last.
  DatabaseTour tour_;
  std::map<std::string, std::string, std::less<>> errors_;  // Of this collection, by task.

  ServerFacts server_;  // Of the present connection.
  SteadyTime extensions_read_at_{};
  bool extensions_doubted_ = false;  // Something that they should have is not there.
  Millis statement_timeout_{};
  int backend_pid_ = 0;
  std::vector<Database> databases_;
  double databases_left_out_ = 0;
  std::vector<HungBackend> hung_;
  SteadyTime no_connection_before_{};
  double collections_ = 0;
};

}  // namespace tocsin::collectors::postgres
