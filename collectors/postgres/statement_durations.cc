#include "collectors/postgres/statement_durations.h"

#include <algorithm>

namespace tocsin::collectors::postgres {

void StatementDurations::Add(const LogRecord& record) {
  const LogEvent event = ParseLogMessage(record.severity, record.message);
  using Kind = LogEventKind;
  if (event.kind == Kind::kOther) return;
  if (event.kind == Kind::kFailed) {
    processes_.erase(record.pid);
    return;
  }
  if (event.kind == Kind::kStatement) {
    processes_.erase(record.pid);
    Observe(record, event.seconds);
    return;
  }
  if (processes_.size() >= kMostProcesses && !processes_.contains(record.pid)) processes_.clear();
  Process& process = processes_[record.pid];
  switch (event.kind) {
    case Kind::kStatementBegins: process = {0, Process::Under::kStatement}; break;
    case Kind::kExecuteBegins: process.under = Process::Under::kExecute; break;
    case Kind::kCallBegins: process = {0, Process::Under::kCall}; break;
    case Kind::kParse:
    case Kind::kBind: process.parts_seconds += event.seconds; break;
    case Kind::kExecute:
      Observe(record, process.parts_seconds + event.seconds);
      processes_.erase(record.pid);
      break;
    case Kind::kDuration:
      // Without words: of what this process began, or else a parse or a bind.
      if (process.under == Process::Under::kNothing) {
        process.parts_seconds += event.seconds;
        break;
      }
      if (process.under != Process::Under::kCall) {
        Observe(record, process.parts_seconds + event.seconds);
      }
      processes_.erase(record.pid);
      break;
    default: break;
  }
}

void StatementDurations::Observe(const LogRecord& record, double seconds) {
  auto key = std::pair(std::string(record.database), std::string(record.user));
  auto found = histograms_.find(key);
  if (found == histograms_.end()) {
    if (histograms_.size() >= kMostHistograms) {
      ++left_out_;
      return;
    }
    found = histograms_.try_emplace(std::move(key)).first;
  }
  const auto bucket =
      std::lower_bound(kUpperBoundsSeconds.begin(), kUpperBoundsSeconds.end(), seconds);
  ++found->second.counts[static_cast<std::size_t>(bucket - kUpperBoundsSeconds.begin())];
  found->second.sum_seconds += seconds;
}

void StatementDurations::Emit(model::MetricBatch& batch) const {
  const auto family = batch.DeclareFamily(
      "pg_query_duration_seconds",
      "How long statements took, as PostgreSQL's log says, since this daemon watches",
      model::MetricType::kHistogram, {"datname", "user", "source"});
  for (const auto& [key, histogram] : histograms_) {
    const std::string_view labels[] = {key.first, key.second, "log"};
    batch.AddHistogram(family, labels,
                       {kUpperBoundsSeconds, histogram.counts, histogram.sum_seconds});
  }
}

}  // namespace tocsin::collectors::postgres
