#include "collectors/postgres/visitor.h"

#include <chrono>
#include <utility>

#include "collectors/postgres/subject_task.h"

namespace tocsin::collectors::postgres {
namespace {

// Beside the three megabytes that any backend has, and what it takes to answer.
constexpr std::size_t kMostRemembered = 4'000'000;

// Whoever connects to a database takes RowExclusiveLock on it, before lock_timeout counts
// and before pg_stat_activity shows it. These are what that waits for.
constexpr const char* kLockedSql =
    "SELECT DISTINCT objid FROM pg_locks"
    " WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND mode IN"
    " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

}  // namespace

std::set<std::string, std::less<>> LockedDatabases(Connection& kept) {
  std::set<std::string, std::less<>> locked;
  const auto rows = kept.Query(kLockedSql);
  for (int row = 0; rows.ok() && row < rows->size(); ++row) locked.emplace(rows->Text(row, 0));
  return locked;
}

Visitor::Visitor(const PostgresOptions& options, FileSystem& files, const CollectContext& context,
                 Connection& kept, const ServerFacts& server, std::string oid, std::string name)
    : context_(context),
      kept_(kept),
      server_(server),
      oid_(std::move(oid)),
      name_(std::move(name)),
      statement_timeout_(SubjectTask::StatementTimeout(
          std::chrono::floor<Millis>(context.deadline - context.clock.SteadyNow()))),
      connection_(options, context.clock, files) {}

Result<ServerFacts> Visitor::Enter() {
  pid_ = 0;
  remembered_ = 0;
  TOCSIN_RETURN_IF_ERROR(connection_.Begin(context_));
  pid_ = connection_.backend_pid();
  pids_.push_back(pid_);
  auto facts = PrepareVisit(connection_, statement_timeout_, server_, name_);
  if (!facts.ok()) connection_.Close();
  return facts;
}

Result<> Visitor::MakeRoom(std::size_t bytes) {
  if (remembered_ > 0 && remembered_ + bytes > kMostRemembered) {
    failure_ = ComeBack();
    TOCSIN_RETURN_IF_ERROR(failure_);
  }
  remembered_ += bytes;
  return {};
}

Result<> Visitor::ComeBack() {
  connection_.Leave();
  pid_ = 0;
  const auto locked = LockedDatabases(kept_);
  if (kept_.lost()) return Error{ErrorCode::kUnavailable, "the kept connection was lost"};
  if (locked.contains(oid_)) {
    return Error{ErrorCode::kUnavailable, "somebody has locked the database meanwhile"};
  }
  TOCSIN_RETURN_IF_ERROR(Enter());
  return {};
}

}  // namespace tocsin::collectors::postgres
