#pragma once

// What the statistics count of each table of a database, or of each index. They are read by
// their functions over the catalogue, not through the views and size functions that open each
// relation: nothing here waits for, or asks for, a lock on a user's table. And a thousand
// tables at a time, so that no backend ever holds, sorts or adds up all of them.

#include <string>
#include <string_view>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {

struct RelationQuery {
  std::string_view kinds;   // Of the tables: "'r', 'm'".
  std::size_t most_tables;  // Of more the smallest are not even counted among the others.
  // The relation's oid, its names, its numbers: over t, which has oid, nspname, relname, relpages
  // and reltoastrelid of a table, and over `joins`, which may find nothing.
  std::string columns;
  std::string_view joins;
  std::size_t names = 0;
  std::size_t numbers = 0;              // The first is the weight.
  std::vector<std::size_t> counters{};  // Which of the numbers are.
};

struct Relation {
  std::string oid;
  std::vector<std::string> names;
  std::vector<double> numbers;  // NaN for NULL.
};

// The relations that have series of their own, at most `limit`; all others are counted among
// run.memory.objects' others. Errors: as SubjectRun::Query, and kResourceExhausted at the first
// run over more than twice query.most_tables; then nothing is counted.
Result<std::vector<Relation>> ReadRelations(SubjectRun& run, const RelationQuery& query, int limit);

}  // namespace tocsin::collectors::postgres
