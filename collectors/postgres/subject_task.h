#pragma once

// One subject, or one query of the user's, in one database: when it is due, what it
// remembers between its runs, and the rows it showed last.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// What all runs on one connection share.
struct Session {
  Connection& connection;
  const ServerFacts& server;
  const PostgresOptions& options;
  const std::vector<Database>& databases;
  Millis statement_timeout{};
  std::function<Result<>(std::size_t bytes)> make_room = {};  // Of a visitor.
};

// Not thread-safe. What it is made from must outlive it.
class SubjectTask {
 public:
  explicit SubjectTask(const Subject& subject);
  explicit SubjectTask(const CustomQuery& query);

  std::string_view name() const { return name_; }
  const CustomQuery* query() const { return query_; }
  Scope scope() const { return scope_; }
  // Whether its rows are kept and shown again until the next run.
  bool IsSlow() const { return interval_ > Millis(0); }
  bool IsDue(SteadyTime now) const;

  // What the server cancels the statements of a session after, of which each collection, or
  // the visit, has `whole`: at most the share of every run that begins within the first
  // fifth of it, so that those need no time-out of their own.
  static Millis StatementTimeout(Millis whole);

  // Runs it, within half of what is left of the deadline, so that one that is
  // cancelled leaves time to the others. The rows go to `batch`, or are kept if it is
  // slow. Errors: as the subject's; they are error() until the next run.
  Result<> Run(const Session& session, const CollectContext& context, model::MetricBatch& batch);
  // It was due and could not be run: the same as a run that failed and showed nothing.
  void Miss(SteadyTime now, std::string error);

  // Ends the rows after three runs that failed, or that did not take place in time.
  void ForgetOldRows(SteadyTime now, Millis most_age);
  // Adds the kept rows. Errors: kInvalidArgument, and nothing is added, if `batch` has
  // a family of the same name and other labels.
  Result<> Show(model::MetricBatch& batch) const;

  // Adds when what it shows was read, unless that is at every collection.
  void AddOldestReads(OldestReads& oldest) const;
  double duration_seconds() const { return duration_seconds_; }
  const std::string& error() const { return error_; }  // Of the last run; empty: it succeeded.
  bool has_run() const { return has_run_; }

  // A slow subject's rows end after so many missed runs.
  static constexpr int kMostMissedRuns = 3;
  Millis RowsLast() const { return kMostMissedRuns * interval_; }

 private:
  void Fail(SteadyTime now, std::string error);

  std::string_view name_;
  Millis interval_{};
  Result<> (*collect_)(SubjectRun& run) = nullptr;
  const CustomQuery* query_ = nullptr;
  Scope scope_ = Scope::kServer;

  SubjectMemory memory_;
  bool has_run_ = false;
  int missed_runs_ = 0;  // One after the other.
  std::string error_;
  double duration_seconds_ = 0;
  SteadyTime last_run_{};
  SteadyTime last_success_{};
  std::unique_ptr<model::MetricBatch> rows_;  // Of the last success, of a slow one.
};

}  // namespace tocsin::collectors::postgres
