#pragma once

// The durations of all statements from the server's own log: finds the log, judges
// at each collection whether its settings make it complete, reads on, and emits
// the histogram. While the log cannot be used there is no series at all, and a
// note says why and what to set. When the server does not tell its settings (a
// lock, a time-out), the place in the log is kept: what was written meanwhile is
// counted when it answers again.

#include <memory>
#include <set>
#include <string>

#include "collectors/collector.h"
#include "collectors/postgres/connection.h"
#include "collectors/postgres/log_settings.h"
#include "collectors/postgres/log_tail.h"
#include "collectors/postgres/postgres_config.h"
#include "collectors/postgres/server_facts.h"
#include "collectors/postgres/statement_durations.h"

namespace tocsin::collectors::postgres {

// Not thread-safe. `options` and `files` must outlive it.
class QueryLog {
 public:
  QueryLog(const PostgresOptions& options, FileSystem& files) : options_(options), tail_(files) {}

  // What this backend, another one of ours, did is not counted by the next Collect().
  void Ignore(int backend_pid) { own_pids_.insert(backend_pid); }

  // Adds what the log tells to `batch`, or a note. Never an error: a log that
  // cannot be read is no fault of the server.
  void Collect(const CollectContext& context, Connection& connection, const ServerFacts& server,
               model::MetricBatch& batch);

 private:
  enum class Format { kText, kCsv, kJson };
  struct Source {
    std::string path;
    Format format = Format::kText;
    std::string prefix;  // log_line_prefix, for kText.
    friend bool operator==(const Source&, const Source&) = default;
  };

  struct LogFiles {  // Those the server writes now; empty: none of that format.
    std::string text, csv, json;
    std::string cluster_name;
  };

  Result<Source> FindSource(Connection& connection, const ServerFacts& server);
  Result<LogSettings> ReadSettings(Connection& connection) const;
  Result<LogFiles> CurrentFiles(Connection& connection, const ServerFacts& server) const;
  Result<std::string> FindPath(Connection& connection, const ServerFacts& server,
                               const LogSettings& settings, Format& format) const;
  Result<> ReadOn(const Source& source, const CollectContext& context, Connection& connection);
  void Stop();

  const PostgresOptions& options_;
  LogTail tail_;
  std::unique_ptr<LogDecoder> decoder_;
  Source source_;  // Of decoder_.
  StatementDurations durations_;
  std::set<std::int64_t> own_pids_;  // Backends of our own that unread lines may name.
  LogTail::Progress last_;
  SteadyTime told_at_{};  // When the server last told that the log can be used.
  double read_bytes_ = 0;
  double skipped_bytes_ = 0;
};

}  // namespace tocsin::collectors::postgres
