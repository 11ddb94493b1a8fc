#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

// Asking a sequence for its place opens it and keeps its lock to the end of the query:
// it is asked of a hundred, those with the least room first, and those that somebody
// locks against writing (ALTER SEQUENCE does) are passed over, for the place is read under
// a writer's lock.
Result<> CollectSequences(SubjectRun& run) {
  if (!run.Shows(run.server.database)) return {};
  static const Select select{
      .labels = {{"datname", "current_database()"},
                 {"schemaname", "s.nspname"},
                 {"sequencename", "s.relname"}},
      .values = {{.metric = "tocsin_postgres_sequence_used_ratio",
                  .sql = "s.used",
                  .help = "Share of its numbers that the sequence has given out; 1: it is at its "
                          "end. The hundred of each database that have the fewest"}},
      .from =
          "(SELECT n.nspname, c.relname,"
          " CASE WHEN q.seqincrement > 0"
          "  THEN (l.last::numeric - q.seqmin) / greatest(q.seqmax::numeric - q.seqmin, 1)"
          "  ELSE (q.seqmax::numeric - l.last) / greatest(q.seqmax::numeric - q.seqmin, 1) END"
          " AS used FROM (SELECT seqrelid, seqincrement, seqmin, seqmax FROM pg_sequence"
          " WHERE NOT seqcycle AND seqrelid NOT IN (SELECT relation FROM pg_locks"
          "  WHERE locktype = 'relation' AND mode IN ('ShareLock', 'ShareRowExclusiveLock',"
          "   'ExclusiveLock', 'AccessExclusiveLock')"
          "  AND relation IS NOT NULL) ORDER BY seqmax, seqrelid LIMIT 100) q"
          " JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace,"
          " LATERAL (SELECT CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE')"
          "  AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_is_in_recovery())"
          "  THEN pg_sequence_last_value(c.oid) END AS last) l WHERE l.last IS NOT NULL) AS s"};
  return CollectSelect(run, select);
}

}  // namespace tocsin::collectors::postgres
