// Opening a store: the journal is replayed into the head, and what history holds
// besides enters the directory.

#include <unordered_set>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/model/label_pool.h"
#include "daemon/store/selection.h"
#include "daemon/store/store_rep.h"

namespace tocsin::store {

Result<> Store::Rep::OpenHistory(FileSystem& files, std::string vfs) {
  TOCSIN_ASSIGN_OR_RETURN(history_, History::Open(config_.path, std::move(vfs), clock_, files));
  const auto read = Replay();
  if (read.ok()) return {};
  if (read.error().code != ErrorCode::kCorruption) return read;
  LogError("the history of samples is damaged", {{"reason", read.error().message}});
  return Repair();  // With what could be replayed.
}

Result<> Store::Rep::Replay() {
  std::uint64_t last_sequence = 0;
  Result<> read = ReplayRows(last_sequence);
  if (read.ok()) read = FillDirectory();
  const auto last_id = history_->LastSeriesId();
  if (read.ok() && !last_id.ok()) read = last_id.error();
  // After damage the ids start anew, above those that were restored.
  head_.FinishReplay(last_sequence, last_id.ok() ? *last_id : 0);
  return read;
}

Result<> Store::Rep::ReplayRows(std::uint64_t& last_sequence) {
  std::unordered_set<std::uint64_t> unknown;
  model::LabelPool pool;
  const std::int64_t now_ms = NowMs();
  auto replayed = history_->ForEachRow(
      [&](std::uint64_t sequence, const std::vector<JournalSample>& samples) -> Result<> {
        last_sequence = sequence;
        for (const JournalSample& sample : samples) {
          const std::uint64_t id = sample.history_id;
          if (head_.Holds(id) || unknown.contains(id)) continue;
          TOCSIN_ASSIGN_OR_RETURN(const auto labels, history_->LabelsOf(id));
          TOCSIN_ASSIGN_OR_RETURN(auto extent, history_->Extent(id));
          if (extent.has_value()) extent->last_value = LastValueOf(*extent);
          if (labels.has_value()) {
            head_.Restore(pool.Share(*labels), extent.value_or(ArchivedSeries{id, 0, 0, {}}),
                          extent.has_value(), now_ms);
          } else {
            unknown.insert(id);
          }
        }
        head_.Replay(sequence, samples, now_ms);
        return {};
      });
  if (!unknown.empty()) {
    LogError("samples of the journal belong to series that are not on disk",
             {{"series", std::to_string(unknown.size())}});
  }
  return replayed;
}

Result<> Store::Rep::FillDirectory() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> not_in_head;  // Fingerprint, id.
  TOCSIN_RETURN_IF_ERROR(
      history_->ForEachSeries({}, [&](std::uint64_t id, const model::Labels& labels) {
        if (!head_.Holds(id)) not_in_head.emplace_back(labels.Fingerprint(), id);
      }));
  std::vector<std::uint64_t> empty;
  for (const auto& [fingerprint, id] : not_in_head) {
    TOCSIN_ASSIGN_OR_RETURN(const auto extent, history_->Extent(id));
    if (extent.has_value()) {
      head_.Archive(fingerprint, *extent);
    } else {
      empty.push_back(id);
    }
  }
  return history_->ForgetSeries(empty);
}

void Store::Rep::StartLane(ExecutorFactory& executors) {
  lane_ = executors.NewExecutor("store");
  lane_->RunAt(clock_.SteadyNow() + kTickInterval, [this] { Tick(); });
}

}  // namespace tocsin::store
