#pragma once

// The second connection of a target, for what can only be asked within a database:
// it visits the server's databases one after the other, that of the target first, then
// those whose turn has come the longest ago, and only as many per collection as there is
// time for. It is closed after each visit, so that it never stands in the way of whoever
// drops or renames a database for longer than PostgreSQL itself waits for others to leave.
// Templates are never visited, nor is a database that somebody locks against it.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/postgres/connection.h"
#include "collectors/postgres/subject_task.h"

namespace tocsin::collectors::postgres {

// A backend of ours that did not answer in time; its socket is closed, but the server may
// not have noticed. Who asked it waits until it is gone.
struct HungBackend {
  int pid = 0;
  std::string subject;   // Empty: it came to none.
  std::string database;  // Where it ran.

  static constexpr std::string_view kReason =
      "the backend that last ran it still hangs in the server";
};
bool StillHangs(std::span<const HungBackend> hung, std::string_view subject,
                std::string_view database);

// Not thread-safe. `options`, `clock` and `files` must outlive it.
class DatabaseTour {
 public:
  DatabaseTour(const PostgresOptions& options, const Clock& clock, FileSystem& files);

  // Visits those of `databases` that are due until the time for it is over; forgets
  // those that are gone. `server` is what `kept`, the kept connection, says: the user's
  // queries of its database are run there. What the backends in `hung` were asked is not
  // asked again. Returns the backend that a visit left hanging.
  std::optional<HungBackend> Visit(const CollectContext& context, Connection& kept,
                                   const ServerFacts& server,
                                   const std::vector<Database>& databases,
                                   std::span<const HungBackend> hung);

  // Ends the rows that are too old to be shown. After each collection, visits or none.
  void ForgetOldRows();

  // The server may be another one now, or as good as new: nothing waits because of what
  // failed before.
  void ForgetFailures();

  // Whether there is a database in which this subject or query is run.
  bool Has(std::string_view name) const;
  // Adds the rows of one subject or query of every database visited. Errors: the first
  // that a database's last run of it ended with, after its name; the rows are added. A
  // database that does not let us in is no error: Report() says so.
  Result<> Show(std::string_view name, model::MetricBatch& batch) const;

  double LongestRunSeconds(std::string_view name) const;
  void AddOldestReads(OldestReads& oldest) const;  // Of all databases.

  // tocsin_postgres_database_up, and a note for each that could not be visited.
  void Report(model::MetricBatch& batch) const;

  // The backends of this Visit() and the one before: their lines may reach the log late.
  std::vector<int> Visitors() const;

  // pg_stat_activity's name of the connection.
  static constexpr std::string_view kApplicationName = "tocsin databases";

 private:
  // What failed waits before it is tried again: each time twice as long, up to `most`.
  struct Pause {
    Millis length{};
    SteadyTime until{};
    void Begin(SteadyTime now, Millis most);
  };

  struct Stop {  // One database.
    std::string oid;
    std::string name;     // As it is shown,
    std::string bytes;    // and as the server has it.
    bool is_own = false;  // The target's.
    std::vector<SubjectTask> tasks;
    bool visited = false;
    std::string error;     // Why the last visit failed before it could ask anything.
    bool refused = false;  // That is because it does not let us in.
    bool locked = false;   // It was due and passed over.
    SteadyTime last_visit{};
    Pause pause;  // After a visit that failed.

    void Wait(SteadyTime now);
  };

  void Prepare(const std::vector<Database>& databases);
  Stop MakeStop(const Database& database) const;
  void MissWhatHangs(std::span<const HungBackend> hung, SteadyTime now);
  std::vector<Stop*> FindDue(Connection& kept, SteadyTime now);
  std::optional<HungBackend> VisitOne(Stop& stop, const CollectContext& context, Connection& kept,
                                      const ServerFacts& server,
                                      const std::vector<Database>& databases);

  const Clock& clock_;
  FileSystem& files_;
  const PostgresOptions& configured_;
  PostgresOptions options_;  // The server is the kept connection's, the database the visit's.
  std::map<std::string, Stop, std::less<>> stops_;  // By oid.
  Pause pause_;                                     // After a visit that hung.
  std::vector<int> visitors_;
  std::vector<int> visitors_before_;
};

}  // namespace tocsin::collectors::postgres
