#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "collectors/postgres/subject.h"

namespace tocsin::collectors::postgres {
namespace {

using model::MetricType;

// A text is fetched when its statement is seen first; the file of texts is read for it
// at most this often.
constexpr std::chrono::seconds kTextsAtMostEvery{60};

constexpr int kFirstNumber = 3;

// Of postgres_exporter; the first kCounted also sum up the statements left out.
struct StatementColumn {
  std::string_view name;
  std::string_view help;
  std::string_view sql;  // {time}, {read}, {write}: what those columns are called here.
  MetricType type = MetricType::kCounter;
};
constexpr StatementColumn kColumns[] = {
    {"pg_stat_statements_calls_total", "Number of times executed", "sum(s.calls)"},
    {"pg_stat_statements_seconds_total", "Total time spent in the statement, in seconds",
     "sum(s.total_{time}) / 1000"},
    {"pg_stat_statements_rows_total", "Total number of rows retrieved or affected by the statement",
     "sum(s.rows)"},
    {"pg_stat_statements_block_read_seconds_total",
     "Total time the statement spent reading blocks, in seconds", "sum(s.{read}) / 1000"},
    {"pg_stat_statements_block_write_seconds_total",
     "Total time the statement spent writing blocks, in seconds", "sum(s.{write}) / 1000"},
};

// As Debian's queries for 0.11 name them. Rows of one statement are one series: their
// mean and deviation are those of all executions.
constexpr StatementColumn kColumns011[] = {
    {"calls", "Number of times executed", "sum(s.calls)"},
    {"total_time_seconds", "Total time spent in the statement, in seconds",
     "sum(s.total_{time}) / 1000"},
    {"min_time_seconds", "Minimum time spent in the statement, in seconds",
     "min(s.min_{time}) / 1000", MetricType::kGauge},
    {"max_time_seconds", "Maximum time spent in the statement, in seconds",
     "max(s.max_{time}) / 1000", MetricType::kGauge},
    {"mean_time_seconds", "Mean time spent in the statement, in seconds",
     "CASE count(*) WHEN 1 THEN max(s.mean_{time})"
     " ELSE sum(s.total_{time}) / nullif(sum(s.calls), 0) END / 1000",
     MetricType::kGauge},
    {"stddev_time_seconds",
     "Population standard deviation of time spent in the statement, in seconds",
     "CASE count(*) WHEN 1 THEN max(s.stddev_{time}) ELSE"
     " sqrt(greatest(0, sum(s.calls * (s.stddev_{time} ^ 2 + s.mean_{time} ^ 2))"
     " / nullif(sum(s.calls), 0) - (sum(s.total_{time}) / nullif(sum(s.calls), 0)) ^ 2)) END"
     " / 1000",
     MetricType::kGauge},
    {"rows", "Total number of rows retrieved or affected by the statement", "sum(s.rows)"},
    {"shared_blks_hit", "Shared blocks found in the cache", "sum(s.shared_blks_hit)"},
    {"shared_blks_read", "Shared blocks read", "sum(s.shared_blks_read)"},
    {"shared_blks_dirtied", "Shared blocks dirtied", "sum(s.shared_blks_dirtied)"},
    {"shared_blks_written", "Shared blocks written", "sum(s.shared_blks_written)"},
    {"local_blks_hit", "Local blocks found in the cache", "sum(s.local_blks_hit)"},
    {"local_blks_read", "Local blocks read", "sum(s.local_blks_read)"},
    {"local_blks_dirtied", "Local blocks dirtied", "sum(s.local_blks_dirtied)"},
    {"local_blks_written", "Local blocks written", "sum(s.local_blks_written)"},
    {"temp_blks_read", "Temporary blocks read", "sum(s.temp_blks_read)"},
    {"temp_blks_written", "Temporary blocks written", "sum(s.temp_blks_written)"},
    {"blk_read_time_seconds", "Total time the statement spent reading blocks, in seconds",
     "sum(s.{read}) / 1000"},
    {"blk_write_time_seconds", "Total time the statement spent writing blocks, in seconds",
     "sum(s.{write}) / 1000"},
};

// The name that a column has in this version of the extension; empty: none.
std::string FirstOf(const ServerFacts& server, std::initializer_list<std::string_view> columns) {
  for (const auto column : columns) {
    if (server.Has("pg_stat_statements." + std::string(column))) return std::string(column);
  }
  return {};
}

// Read without texts, which lie in a file of their own. One statement at the top
// and the same one within a function are two rows since version 14: they are one
// series here.
Result<std::string> StatementsSql(const SubjectRun& run) {
  const ServerFacts& server = run.server;
  const std::string total = FirstOf(server, {"total_exec_time", "total_time"});
  const std::string read = FirstOf(server, {"shared_blk_read_time", "blk_read_time"});
  const std::string write = FirstOf(server, {"shared_blk_write_time", "blk_write_time"});
  if (total.empty() || read.empty() || write.empty()) {
    return Error{ErrorCode::kNotFound, "pg_stat_statements has no columns of time that are known"};
  }
  const std::string time = total.substr(std::string_view("total_").size());
  std::string sql = "SELECT pg_get_userbyid(s.userid), d.datname, s.queryid";
  const auto add = [&](const auto& columns) {
    for (const StatementColumn& column : columns) {
      sql += ", " + fmt::format(fmt::runtime(column.sql), fmt::arg("time", time),
                                fmt::arg("read", read), fmt::arg("write", write));
    }
  };
  add(kColumns);
  if (run.HasNames(Names::k011)) add(kColumns011);
  return sql + fmt::format(
                   " FROM {}.pg_stat_statements(false) s JOIN pg_database d ON d.oid ="
                   " s.dbid WHERE s.queryid IS NOT NULL GROUP BY s.userid, d.datname,"
                   " s.queryid",
                   server.statements_schema);
}

struct Statements {
  Rows rows;
  std::vector<int> chosen;  // Rows.
};

Statements ChooseStatements(SubjectRun& run, Rows rows) {
  std::vector<TopObjects::Object> objects;
  for (int row = 0; row < rows.size(); ++row) {
    TopObjects::Object object;
    object.may_be_chosen = run.Shows(rows.Text(row, 1));
    for (int label = 0; label < kFirstNumber; ++label) {
      object.key.append(rows.Text(row, label)).push_back('\n');
    }
    for (std::size_t i = 0; i < std::size(kColumns); ++i) {
      object.counters.push_back(rows.Number(row, kFirstNumber + static_cast<int>(i)).value_or(0));
    }
    object.weight = object.counters[1];
    objects.push_back(std::move(object));
  }
  const auto is_chosen =
      run.memory.objects.Choose(objects, static_cast<std::size_t>(run.options.statement_limit),
                                run.context.clock.SteadyNow());
  Statements statements{std::move(rows), {}};
  for (int row = 0; row < statements.rows.size(); ++row) {
    if (is_chosen[static_cast<std::size_t>(row)]) statements.chosen.push_back(row);
  }
  return statements;
}

void Show(SubjectRun& run, const Statements& statements, std::span<const StatementColumn> columns,
          std::string_view prefix, std::string_view user_label, int place) {
  for (const StatementColumn& column : columns) {
    const auto family = run.out.Declare(std::string(prefix) + std::string(column.name), column.help,
                                        column.type, {user_label, "datname", "queryid"});
    for (const int row : statements.chosen) {
      run.out.Add(family,
                  {statements.rows.Text(row, 0), statements.rows.Text(row, 1),
                   statements.rows.Text(row, 2)},
                  statements.rows.Number(row, place).value_or(0));
    }
    ++place;
  }
}

void ShowOthers(SubjectRun& run) {
  const TopObjects& top = run.memory.objects;
  run.out.Gauge(
      "tocsin_postgres_statements_left_out",
      "Statements of pg_stat_statements without series of their own, because of the limit or "
      "because their database has none",
      static_cast<double>(top.left_out()));
  for (std::size_t i = 0; i < top.others().size(); ++i) {
    constexpr std::string_view kPrefix = "pg_stat_statements_";
    const auto family = run.out.Declare(
        "tocsin_postgres_other_statements_" + std::string(kColumns[i].name.substr(kPrefix.size())),
        std::string(kColumns[i].help) + "; all statements without series of their own",
        MetricType::kCounter);
    run.out.Add(family, {}, top.others()[i]);
  }
}

Result<> ShowTexts(SubjectRun& run, const Statements& statements) {
  auto& texts = run.memory.texts;
  std::unordered_map<std::string, std::string> kept;
  std::string missing;
  for (const int row : statements.chosen) {
    std::string id(statements.rows.Text(row, 2));
    const auto known = texts.find(id);
    if (known == texts.end()) {
      missing += (missing.empty() ? "" : ",") + id;
    } else {
      kept.insert(*known);
    }
  }
  texts = std::move(kept);
  const SteadyTime now = run.context.clock.SteadyNow();
  const bool may_read =
      run.memory.read_at == SteadyTime{} || now - run.memory.read_at >= kTextsAtMostEvery;
  if (!missing.empty() && may_read) {
    run.memory.read_at = now;
    TOCSIN_ASSIGN_OR_RETURN(
        const Rows rows,
        run.Query(
            fmt::format("SELECT DISTINCT ON (queryid) queryid, left(query, {})"
                        " FROM {}.pg_stat_statements(true) WHERE queryid = ANY('{{{}}}'::bigint[])",
                        run.options.statement_text_length, run.server.statements_schema, missing)));
    for (int row = 0; row < rows.size(); ++row) {
      texts.emplace(rows.Text(row, 0), rows.Text(row, 1));
    }
  }
  const auto family =
      run.out.Declare("pg_stat_statements_query_id", "The text of a statement, by its number",
                      MetricType::kCounter, {"queryid", "query"});
  for (const auto& [id, text] : texts) run.out.Add(family, {id, text}, 1);
  return {};
}

}  // namespace

Result<> CollectStatStatements(SubjectRun& run) {
  if (run.server.statements_schema.empty()) {
    run.out.Note(fmt::format(
        "statements: the extension pg_stat_statements is not in database \"{0}\"; to have "
        "pg_stat_statements_* set shared_preload_libraries = 'pg_stat_statements', restart, and "
        "run CREATE EXTENSION pg_stat_statements in \"{0}\"",
        run.server.database));
    return {};
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::string sql, StatementsSql(run));
  TOCSIN_ASSIGN_OR_RETURN(Rows rows, run.Query(sql));
  const Statements statements = ChooseStatements(run, std::move(rows));
  if (run.options.names != Names::k011) Show(run, statements, kColumns, {}, "user", kFirstNumber);
  if (run.HasNames(Names::k011)) {
    Show(run, statements, kColumns011, "pg_stat_statements_", "rolname",
         kFirstNumber + static_cast<int>(std::size(kColumns)));
  }
  ShowOthers(run);
  return run.options.statement_texts ? ShowTexts(run, statements) : Result<>();
}

}  // namespace tocsin::collectors::postgres
