#include "collectors/postgres/subject_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tocsin::collectors::postgres {
namespace {

// Left of the deadline for what follows the queries.
constexpr Millis kReserve{100};
constexpr Millis kLeastStatementTimeout{50};

// A user's metric may have a name that a subject shows with other labels.
Result<> CheckNames(const model::MetricBatch& rows, const model::MetricBatch& batch) {
  for (const auto& family : rows.families()) {
    const auto known = std::find_if(batch.families().begin(), batch.families().end(),
                                    [&](const auto& other) { return other.name == family.name; });
    if (known != batch.families().end() && known->label_names != family.label_names) {
      return Error{ErrorCode::kInvalidArgument,
                   "metric \"" + family.name + "\" is a collector's, with other labels"};
    }
  }
  return {};
}

}  // namespace

SubjectTask::SubjectTask(const Subject& subject)
    : name_(subject.name),
      interval_(subject.interval),
      collect_(subject.collect),
      scope_(subject.scope) {}

SubjectTask::SubjectTask(const CustomQuery& query)
    : name_(query.collector),
      interval_(query.interval),
      collect_(CollectCustomQuery),
      query_(&query) {}

Millis SubjectTask::StatementTimeout(Millis whole) {
  return std::max((whole - kReserve) * 2 / 5, kLeastStatementTimeout);
}

bool SubjectTask::IsDue(SteadyTime now) const {
  return !has_run_ || !IsSlow() || now - last_run_ >= interval_;
}

Result<> SubjectTask::Run(const Session& session, const CollectContext& context,
                          model::MetricBatch& batch) {
  const SteadyTime now = context.clock.SteadyNow();
  auto fresh = IsSlow() ? std::make_unique<model::MetricBatch>() : nullptr;
  // What is the user's own has the server where all have it.
  const bool may_have_server = query_ == nullptr || session.options.names == Names::k011;
  Emitter out(fresh ? *fresh : batch, session.options.names,
              may_have_server ? session.options.instance : std::string());
  SubjectRun run{.connection = session.connection,
                 .server = session.server,
                 .options = session.options,
                 .databases = session.databases,
                 .context = context,
                 .memory = memory_,
                 .out = out,
                 .until = now + (context.deadline - kReserve - now) / 2,
                 .statement_timeout = session.statement_timeout,
                 .make_room = session.make_room,
                 .query = query_};
  if (query_ != nullptr)
    run.until = std::min(run.until, now + SteadyTime::duration(query_->timeout));
  const auto outcome = collect_(run);
  const SteadyTime end = context.clock.SteadyNow();
  if (!outcome.ok()) {
    Fail(now, outcome.error().message);
  } else {
    has_run_ = true;
    last_run_ = last_success_ = now;
    missed_runs_ = 0;
    error_.clear();
    if (fresh) {
      fresh->ShrinkToFit();
      rows_ = std::move(fresh);
    }
  }
  duration_seconds_ = ToSeconds(end - now);
  return outcome;
}

void SubjectTask::Miss(SteadyTime now, std::string error) {
  Fail(now, std::move(error));
  if (!IsSlow()) memory_.oldest.clear();  // Nothing is shown.
}

void SubjectTask::Fail(SteadyTime now, std::string error) {
  has_run_ = true;
  last_run_ = now;
  error_ = error.empty() ? "failed" : std::move(error);
  ++missed_runs_;
}

void SubjectTask::AddOldestReads(OldestReads& oldest) const {
  if (IsSlow() && !rows_) return;
  if (rows_) AddRead(oldest, name_, last_success_);
  for (const auto& [name, read_at] : memory_.oldest) AddRead(oldest, name, read_at);
}

void SubjectTask::ForgetOldRows(SteadyTime now, Millis most_age) {
  if (rows_ && (missed_runs_ >= kMostMissedRuns || now - last_success_ > most_age)) rows_.reset();
}

Result<> SubjectTask::Show(model::MetricBatch& batch) const {
  if (!rows_) return {};
  if (query_ != nullptr) TOCSIN_RETURN_IF_ERROR(CheckNames(*rows_, batch));
  batch.Include(*rows_);
  for (const auto& note : rows_->notes()) batch.AddNote(note);
  return {};
}

}  // namespace tocsin::collectors::postgres
