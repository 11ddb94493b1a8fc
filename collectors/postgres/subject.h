#pragma once

// A subject is one thing a server can tell about itself, in a file of its own
// below subjects/ with one row in the table (subjects.cc). Each fails alone and
// is reported under its name in pg_scrape_collector_success.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collectors/postgres/connection.h"
#include "collectors/postgres/custom_query.h"
#include "collectors/postgres/emitter.h"
#include "collectors/postgres/fullest_sequences.h"
#include "collectors/postgres/growth.h"
#include "collectors/postgres/postgres_config.h"
#include "collectors/postgres/server_facts.h"
#include "collectors/postgres/top_objects.h"

namespace tocsin::collectors::postgres {

// A database that has series of its own.
struct Database {
  std::string oid;
  std::string name;     // As it is shown.
  std::string bytes;    // As the server has it, in whatever encoding: how to connect to it.
  bool is_own = false;  // The target's: the kept connection is to it.
  double connection_limit = -1;
  bool allows_connections = false;
  double xid_age = 0;
  double multixact_age = 0;
  double next_multixact = 0;  // The server's: the same of each.
  bool is_template = false;
  bool may_connect = false;  // Our role has the privilege, and it is not half dropped.
};

struct NamedGauge {
  std::string name;
  std::string help;
  double value = 0;
};

// When the oldest of the numbers shown was read, by the name that tells its age.
using OldestReads = std::map<std::string, SteadyTime, std::less<>>;
void AddRead(OldestReads& oldest, std::string_view name, SteadyTime read_at);

// What a subject keeps between collections.
struct SubjectMemory {
  struct Value {
    double value = 0;
    SteadyTime read_at{};
  };
  std::unordered_map<std::string, Value> values;
  OldestReads oldest;  // Of `values`, if they are shown again before they are read again.
  // Gauges shown again as long as the server tells the same key.
  std::string key;
  std::vector<NamedGauge> gauges;
  SteadyTime read_at{};
  TopObjects objects;      // Those that have series of their own.
  std::size_t tables = 0;  // How many the last run found.
  FullestSequences sequences;
  Growth growth;
  std::unordered_map<std::string, std::string> texts;
};

// One run of one subject.
struct SubjectRun {
  Connection& connection;
  const ServerFacts& server;
  const PostgresOptions& options;
  const std::vector<Database>& databases;
  const CollectContext& context;
  SubjectMemory& memory;
  Emitter& out;
  SteadyTime until{};          // The share of the deadline that is this subject's.
  Millis statement_timeout{};  // What the session has.
  const std::function<Result<>(std::size_t bytes)>& make_room;  // Of a visitor only.
  const CustomQuery* query = nullptr;  // The one that is run, if it is the user's.

  // As Connection::Query, cancelled by the server itself at `until`.
  Result<Rows> Query(const std::string& sql);

  // Before so many more bytes of what a backend remembers, until it ends, of each object that it
  // is asked about: a visitor leaves and comes back if that were too much. Errors: as
  // Visitor::MakeRoom.
  Result<> MakeRoom(std::size_t bytes) const { return make_room ? make_room(bytes) : Result<>(); }

  bool HasNames(Names names) const {
    return options.names == names || options.names == Names::kAll;
  }
  // Whether the profile is of a time when postgres_exporter made what it could of a table of
  // queries.
  bool IsBefore020() const { return options.names == Names::k011 || options.names == Names::k015; }
  // How many of this database's objects have series of their own: all databases
  // together have no more than ten times `limit`.
  std::size_t ObjectLimit(int limit) const;
  // Whether the database of that name has series.
  bool Shows(std::string_view database) const;
};

// Whether a subject tells of the whole server, or of the database it is connected to:
// the former is asked on the kept connection, the latter by a visitor, in each database or in
// the target's own.
enum class Scope { kServer, kDatabase, kOwnDatabase };

struct Subject {
  std::string_view name;
  bool on = true;     // Unless the configuration says otherwise.
  Millis interval{};  // 0: at every collection. Else the last rows are shown in between.
  Result<> (*collect)(SubjectRun& run);
  Scope scope = Scope::kServer;  // Of the others each has an interval.
};

std::span<const Subject> Subjects();

// The part of a query that most subjects are: label columns, value columns, and
// where they come from.
struct LabelColumn {
  std::string_view label;
  std::string_view sql;
};
enum class IfNull { kSkip, kZero, kNaN };
struct ValueColumn {
  std::string_view metric;
  model::MetricType type = model::MetricType::kGauge;
  std::string_view sql;  // A number, a boolean, or NULL.
  std::string_view help;
  // "relation.column" that must be there; empty: always is. Of several columns of
  // one metric the first that is there counts.
  std::string_view needs = {};
  IfNull if_null = IfNull::kSkip;
};
constexpr ValueColumn CounterColumn(std::string_view metric, std::string_view sql,
                                    std::string_view help, std::string_view needs) {
  return {metric, model::MetricType::kCounter, sql, help, needs};
}
struct Select {
  std::vector<LabelColumn> labels;
  std::vector<ValueColumn> values;
  std::string_view from;  // Everything after FROM.
  // The label datname decides which rows are shown; where it is NULL, it is.
  bool by_database = false;
};
Result<> CollectSelect(SubjectRun& run, const Select& select);

// The same in two steps, for who needs the rows.
struct Selected {
  std::vector<const ValueColumn*> columns;  // Of the rows, after the labels: those that are there.
  Rows rows;
};
Result<Selected> ReadSelect(SubjectRun& run, const Select& select);
void ShowSelect(SubjectRun& run, const Select& select, const Selected& selected);

// Each subject's function, by its file.
Result<> CollectBlocking(SubjectRun& run);
Result<> CollectBuffercacheSummary(SubjectRun& run);
Result<> CollectDatabase(SubjectRun& run);
Result<> CollectDatabaseSize(SubjectRun& run);
Result<> CollectDatabaseWraparound(SubjectRun& run);
Result<> CollectGeneralIndexInfo(SubjectRun& run);
Result<> CollectLocks(SubjectRun& run);
Result<> CollectLongRunningTransactions(SubjectRun& run);
Result<> CollectPostmaster(SubjectRun& run);
Result<> CollectPreparedTransactions(SubjectRun& run);
Result<> CollectProcessIdle(SubjectRun& run);
Result<> CollectReplication(SubjectRun& run);
Result<> CollectReplicationSlots(SubjectRun& run);
Result<> CollectRoles(SubjectRun& run);
Result<> CollectSequences(SubjectRun& run);
Result<> CollectSettings(SubjectRun& run);
Result<> CollectStatActivity(SubjectRun& run);
Result<> CollectStatActivityAutovacuum(SubjectRun& run);
Result<> CollectStatArchiver(SubjectRun& run);
Result<> CollectStatBgwriter(SubjectRun& run);
Result<> CollectStatCheckpointer(SubjectRun& run);
Result<> CollectStatDatabase(SubjectRun& run);
Result<> CollectStatDatabaseConflicts(SubjectRun& run);
Result<> CollectStatIo(SubjectRun& run);
Result<> CollectStatProgressVacuum(SubjectRun& run);
Result<> CollectStatReplication(SubjectRun& run);
Result<> CollectStatSlru(SubjectRun& run);
Result<> CollectStatSsl(SubjectRun& run);
Result<> CollectStatStatements(SubjectRun& run);
Result<> CollectStatUserTables(SubjectRun& run);
Result<> CollectStatWal(SubjectRun& run);
Result<> CollectStatWalReceiver(SubjectRun& run);
Result<> CollectStatioUserIndexes(SubjectRun& run);
Result<> CollectStatioUserTables(SubjectRun& run);
Result<> CollectSubscriptions(SubjectRun& run);
Result<> CollectWal(SubjectRun& run);
Result<> CollectXmin(SubjectRun& run);

}  // namespace tocsin::collectors::postgres
