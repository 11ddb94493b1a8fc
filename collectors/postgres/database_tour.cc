#include "collectors/postgres/database_tour.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <tuple>
#include <utility>

#include "collectors/postgres/visitor.h"

namespace tocsin::collectors::postgres {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// What all visits to other databases may take together in one collection, once one is done.
constexpr Millis kTimePerCollection{500};
constexpr Millis kMostTimePerVisit{2000};  // To another database.
constexpr Millis kLeastTimePerVisit{200};
// After one that hung the server may not have noticed that we are gone; one that refuses
// does so again.
constexpr seconds kLeastPause{60};
constexpr minutes kMostPause{30};
// Of a thousand databases each has its turn within this time; rows older than it end.
constexpr minutes kMostAgeOfRows{30};

}  // namespace

bool StillHangs(std::span<const HungBackend> hung, std::string_view subject,
                std::string_view database) {
  return std::any_of(hung.begin(), hung.end(), [&](const HungBackend& one) {
    return one.subject == subject && one.database == database;
  });
}

void DatabaseTour::Pause::Begin(SteadyTime now, Millis most) {
  length = std::clamp<Millis>(2 * length, kLeastPause, most);
  until = now + length;
}

// The target's own is there, for the kept connection is in it: what refuses is no place for
// a second one, and that may pass.
void DatabaseTour::Stop::Wait(SteadyTime now) {
  pause.Begin(now, is_own ? Millis(kLeastPause) : Millis(kMostPause));
}

void DatabaseTour::ForgetFailures() {
  pause_ = {};
  for (auto& [oid, stop] : stops_) stop.pause = {};
}

DatabaseTour::DatabaseTour(const PostgresOptions& options, const Clock& clock, FileSystem& files)
    : clock_(clock), files_(files), configured_(options), options_(options) {
  options_.application_name = kApplicationName;
}

DatabaseTour::Stop DatabaseTour::MakeStop(const Database& database) const {
  Stop stop;
  stop.oid = database.oid;
  stop.name = database.name;
  stop.bytes = database.bytes;
  stop.is_own = database.is_own;
  for (const Subject& subject : Subjects()) {
    const bool runs_there =
        subject.scope == Scope::kDatabase || (subject.scope == Scope::kOwnDatabase && stop.is_own);
    if (runs_there && options_.IsOn(subject.name, subject.on)) stop.tasks.emplace_back(subject);
  }
  for (const CustomQuery& query : options_.queries) {
    if (!stop.is_own && query.database == database.name) stop.tasks.emplace_back(query);
  }
  return stop;
}

void DatabaseTour::Prepare(const std::vector<Database>& databases) {
  std::set<std::string, std::less<>> there;
  for (const Database& database : databases) {
    if ((database.is_template && !database.is_own) || !database.may_connect ||
        !database.allows_connections) {
      continue;
    }
    there.insert(database.oid);
    const auto known = stops_.find(database.oid);
    if (known != stops_.end() && known->second.name == database.name &&
        known->second.bytes == database.bytes && known->second.is_own == database.is_own) {
      continue;
    }
    Stop stop = MakeStop(database);
    if (!stop.tasks.empty()) stops_.insert_or_assign(database.oid, std::move(stop));
  }
  std::erase_if(stops_, [&](const auto& entry) { return !there.contains(entry.first); });
}

// The others of a database do not wait behind one that hangs.
void DatabaseTour::MissWhatHangs(std::span<const HungBackend> hung, SteadyTime now) {
  if (hung.empty()) return;
  for (auto& [oid, stop] : stops_) {
    for (SubjectTask& task : stop.tasks) {
      if (!task.IsDue(now) || !StillHangs(hung, task.name(), stop.name)) continue;
      task.Miss(now, std::string(HungBackend::kReason));
    }
  }
}

// In the order of their turns.
std::vector<DatabaseTour::Stop*> DatabaseTour::FindDue(Connection& kept, SteadyTime now) {
  std::vector<Stop*> due;
  for (auto& [oid, stop] : stops_) {
    stop.locked = false;
    const bool is_due = std::any_of(stop.tasks.begin(), stop.tasks.end(),
                                    [&](const auto& task) { return task.IsDue(now); });
    if (is_due && now >= stop.pause.until) due.push_back(&stop);
  }
  if (due.empty() || now < pause_.until) return {};
  const auto locked = LockedDatabases(kept);
  if (kept.lost()) return {};
  for (Stop* stop : due) stop->locked = locked.contains(stop->oid);
  std::erase_if(due, [](const Stop* stop) { return stop->locked; });
  std::stable_sort(due.begin(), due.end(), [](const Stop* one, const Stop* other) {
    return std::tuple(!one->is_own, one->visited, one->last_visit) <
           std::tuple(!other->is_own, other->visited, other->last_visit);
  });
  return due;
}

std::optional<HungBackend> DatabaseTour::Visit(const CollectContext& context, Connection& kept,
                                               const ServerFacts& server,
                                               const std::vector<Database>& databases,
                                               std::span<const HungBackend> hung_before) {
  visitors_before_ = std::exchange(visitors_, {});
  // A target may name several servers, and a name may have several addresses: databases
  // of the same oid there are others.
  options_.servers = {kept.server()};
  Prepare(databases);
  MissWhatHangs(hung_before, clock_.SteadyNow());
  const std::vector<Stop*> due = FindDue(kept, clock_.SteadyNow());

  std::optional<HungBackend> hung;
  std::optional<SteadyTime> others_since;
  for (Stop* stop : due) {
    const SteadyTime now = clock_.SteadyNow();
    if (hung || now < pause_.until || context.stop.stop_requested()) break;
    if (context.deadline - now < 2 * kLeastTimePerVisit) break;
    if (others_since && now - *others_since > kTimePerCollection) break;
    CollectContext visit = context;
    if (stop->is_own) {
      visit.deadline = now + (context.deadline - now) * 3 / 4;
    } else {
      visit.deadline = std::min(now + kMostTimePerVisit, now + (context.deadline - now) / 2);
      others_since = others_since.value_or(now);
    }
    hung = VisitOne(*stop, visit, kept, server, databases);
  }
  return hung;
}

void DatabaseTour::ForgetOldRows() {
  const SteadyTime now = clock_.SteadyNow();
  for (auto& [oid, stop] : stops_) {
    for (SubjectTask& task : stop.tasks) {
      task.ForgetOldRows(now, std::max<Millis>(task.RowsLast(), kMostAgeOfRows));
    }
  }
}

std::optional<HungBackend> DatabaseTour::VisitOne(Stop& stop, const CollectContext& context,
                                                  Connection& kept, const ServerFacts& server,
                                                  const std::vector<Database>& databases) {
  const SteadyTime now = clock_.SteadyNow();
  stop.visited = true;
  stop.last_visit = now;
  stop.error.clear();
  stop.refused = false;
  if (stop.is_own) {
    options_.connection = configured_.connection;  // A pooler may know it by another name.
  } else {
    options_.SetDatabase(stop.bytes);
  }
  Visitor visitor(options_, files_, context, kept, server, stop.oid, stop.name);
  const auto end = [&](const Result<>& outcome,
                       std::string_view subject) -> std::optional<HungBackend> {
    visitors_.insert(visitors_.end(), visitor.pids().begin(), visitor.pids().end());
    if (outcome.ok()) {
      visitor.Leave();
      pause_ = stop.pause = {};
      return std::nullopt;
    }
    stop.error = outcome.error().message;
    stop.Wait(now);
    if (outcome.error().code != ErrorCode::kDeadlineExceeded) return std::nullopt;
    pause_.Begin(clock_.SteadyNow(), kMostPause);
    if (visitor.pid() == 0) return std::nullopt;
    return HungBackend{visitor.pid(), std::string(subject), stop.name};
  };
  const auto facts = visitor.Enter();
  if (!facts.ok()) {
    stop.refused = !stop.is_own && facts.error().code == ErrorCode::kPermissionDenied;
    for (SubjectTask& task : stop.tasks) {
      if (task.IsDue(now)) task.Miss(now, facts.error().message);
    }
    return end(facts.error(), {});
  }

  const Session session{visitor.connection(),
                        *facts,
                        options_,
                        databases,
                        visitor.statement_timeout(),
                        [&](std::size_t bytes) { return visitor.MakeRoom(bytes); }};
  model::MetricBatch unused;  // Everything asked here is slow: its rows are kept.
  for (SubjectTask& task : stop.tasks) {
    if (!task.IsDue(now)) continue;
    auto outcome = task.Run(session, context, unused);
    if (!visitor.connection().lost()) continue;
    // A subject may be content with what it had read before.
    if (outcome.ok()) outcome = visitor.failure();
    if (outcome.ok()) outcome = Error{ErrorCode::kDeadlineExceeded, "the connection was lost"};
    return end(outcome, task.name());
  }
  return end({}, {});
}

bool DatabaseTour::Has(std::string_view name) const {
  for (const auto& [oid, stop] : stops_) {
    for (const SubjectTask& task : stop.tasks) {
      if (task.name() == name) return true;
    }
  }
  return false;
}

Result<> DatabaseTour::Show(std::string_view name, model::MetricBatch& batch) const {
  Result<> first;
  for (const auto& [oid, stop] : stops_) {
    for (const SubjectTask& task : stop.tasks) {
      if (task.name() != name) continue;
      auto shown = task.Show(batch);
      if (shown.ok() && !task.error().empty() && !stop.refused) {
        shown = Error{ErrorCode::kUnavailable, task.error()};
      }
      if (first.ok() && !shown.ok()) {
        first = shown.error().WithContext("database \"" + stop.name + "\"");
      }
    }
  }
  return first;
}

std::vector<int> DatabaseTour::Visitors() const {
  std::vector<int> all = visitors_before_;
  all.insert(all.end(), visitors_.begin(), visitors_.end());
  return all;
}

double DatabaseTour::LongestRunSeconds(std::string_view name) const {
  double longest = 0;
  for (const auto& [oid, stop] : stops_) {
    for (const SubjectTask& task : stop.tasks) {
      if (task.name() == name) longest = std::max(longest, task.duration_seconds());
    }
  }
  return longest;
}

void DatabaseTour::AddOldestReads(OldestReads& oldest) const {
  for (const auto& [oid, stop] : stops_) {
    for (const SubjectTask& task : stop.tasks) task.AddOldestReads(oldest);
  }
}

void DatabaseTour::Report(model::MetricBatch& batch) const {
  if (stops_.empty()) return;
  const auto up = batch.DeclareFamily("tocsin_postgres_database_up",
                                      "Whether the last visit of the database succeeded",
                                      model::MetricType::kGauge, {"datname"});
  for (const auto& [oid, stop] : stops_) {
    if (stop.locked) {
      batch.AddNote(fmt::format("database \"{}\": not visited while it is locked", stop.name));
    }
    if (!stop.visited) continue;
    batch.Add(up, {stop.name}, stop.error.empty() ? 1 : 0);
    if (!stop.error.empty()) {
      batch.AddNote(fmt::format("database \"{}\": {}", stop.name, stop.error));
    }
  }
}

}  // namespace tocsin::collectors::postgres
