#include <fmt/format.h>

#include <chrono>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

// Asking a sequence for its place opens it and keeps its lock to the end of the query: so
// many at a time, and in a visit.
constexpr int kSequencesPerQuery = 100;
constexpr std::size_t kBytesPerSequence = 2'700;  // A backend keeps of one it opened.
constexpr int kQueriesPerVisit = 20;
constexpr Millis kTimePerVisit{150};

// Those that somebody locks against writing (ALTER SEQUENCE does) are passed over, for the
// place is read under a writer's lock. One that begins anew at its end never comes to it.
constexpr std::string_view kSequencesSql =
    "WITH locked AS MATERIALIZED (SELECT relation FROM pg_locks WHERE locktype = 'relation'"
    " AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " AND relation IS NOT NULL), q AS MATERIALIZED (SELECT seqrelid, seqincrement, seqmin,"
    " seqmax, seqrelid IN (SELECT relation FROM locked) AS is_locked FROM pg_sequence"
    " WHERE NOT seqcycle AND {})"
    " SELECT q.seqrelid, n.nspname, c.relname, q.is_locked,"
    " CASE WHEN q.seqincrement > 0 THEN l.last::numeric - q.seqmin"
    "  ELSE q.seqmax::numeric - l.last END, q.seqmax::numeric - q.seqmin"
    " FROM q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace,"
    " LATERAL (SELECT CASE WHEN NOT q.is_locked AND has_sequence_privilege(c.oid, 'SELECT,USAGE')"
    "  AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_is_in_recovery())"
    "  THEN pg_sequence_last_value(c.oid) END AS last) l ORDER BY q.seqrelid";

void See(SubjectRun& run, const Rows& rows) {
  FullestSequences& sequences = run.memory.sequences;
  const SteadyTime now = run.context.clock.SteadyNow();
  for (int row = 0; row < rows.size(); ++row) {
    std::string oid(rows.Text(row, 0));
    const auto given = rows.Number(row, 4);
    if (rows.Text(row, 3) == "t") {
      sequences.SeeLocked(oid);
    } else if (!given) {
      sequences.SeeUnused(oid);
    } else {
      sequences.SeeUsed({.oid = std::move(oid),
                         .schema = std::string(rows.Text(row, 1)),
                         .name = std::string(rows.Text(row, 2)),
                         .given = *given,
                         .size = rows.Number(row, 5).value_or(0)},
                        now);
    }
  }
}

Result<> Visit(SubjectRun& run) {
  FullestSequences& sequences = run.memory.sequences;
  const SteadyTime start = run.context.clock.SteadyNow();
  sequences.BeginVisit(start);
  for (int query = 0; query < kQueriesPerVisit; ++query) {
    if (query > 0 && run.context.clock.SteadyNow() - start > kTimePerVisit) break;
    TOCSIN_RETURN_IF_ERROR(run.MakeRoom(kSequencesPerQuery * kBytesPerSequence));
    const auto where = fmt::format("seqrelid > '{}'::oid ORDER BY seqrelid LIMIT {}",
                                   sequences.after(), kSequencesPerQuery);
    TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                            run.Query(fmt::format(fmt::runtime(kSequencesSql), where)));
    See(run, rows);
    if (rows.size() < kSequencesPerQuery) {
      sequences.CameToTheEnd(run.context.clock.SteadyNow());
      break;
    }
    sequences.CameTo(std::string(rows.Text(rows.size() - 1, 0)));
  }
  const auto again = sequences.LookAgainAt();
  if (!again.empty()) {
    const auto where = fmt::format("seqrelid = ANY('{{{}}}'::oid[])", fmt::join(again, ","));
    TOCSIN_ASSIGN_OR_RETURN(const Rows rows,
                            run.Query(fmt::format(fmt::runtime(kSequencesSql), where)));
    See(run, rows);
  }
  sequences.EndVisit();
  return {};
}

// How many the visits have still to come by before the first has its turn again.
Result<std::size_t> CountBehind(SubjectRun& run) {
  const std::string& after = run.memory.sequences.after();
  if (after == "0") return std::size_t{0};
  TOCSIN_ASSIGN_OR_RETURN(
      const Rows rows, run.Query(fmt::format("SELECT count(*) FROM pg_sequence WHERE NOT seqcycle"
                                             " AND seqrelid > '{}'::oid",
                                             after)));
  return static_cast<std::size_t>(rows.Number(0, 0).value_or(0));
}

}  // namespace

Result<> CollectSequences(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  TOCSIN_RETURN_IF_ERROR(Visit(run));
  TOCSIN_ASSIGN_OR_RETURN(const std::size_t behind, CountBehind(run));

  const std::string& database = run.server.database;
  const auto used = run.out.Declare(
      "tocsin_postgres_sequence_used_ratio",
      "Share of its numbers that the sequence has given out; 1: it is at its end. The hundred of "
      "each database that have given out most of theirs",
      model::MetricType::kGauge, {"datname", "schemaname", "sequencename"});
  const auto days =
      run.out.Declare("tocsin_postgres_sequence_days_left",
                      "Days until the sequence is at its end, at the rate of the last hours",
                      model::MetricType::kGauge, {"datname", "schemaname", "sequencename"});
  for (const auto& sequence : run.memory.sequences.Fullest()) {
    run.out.Add(used, {database, sequence.schema, sequence.name}, sequence.UsedRatio());
    if (sequence.days_left) {
      run.out.Add(days, {database, sequence.schema, sequence.name}, *sequence.days_left);
    }
  }
  if (const auto round = run.memory.sequences.round()) {
    const auto seconds = run.out.Declare(
        "tocsin_postgres_sequences_round_seconds",
        "How long it took to look at all sequences of the database, some at each visit; one that "
        "fills up has series at the latest a visit after so long",
        model::MetricType::kGauge, {"datname"});
    run.out.Add(seconds, {database}, ToSeconds(*round));
  }
  const auto left_out =
      run.out.Declare("tocsin_postgres_sequences_left_out",
                      "Sequences in use without series of their own, because others are fuller",
                      model::MetricType::kGauge, {"datname"});
  run.out.Add(left_out, {database}, static_cast<double>(run.memory.sequences.LeftOut(behind)));
  return {};
}

}  // namespace tocsin::collectors::postgres
