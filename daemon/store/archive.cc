#include "daemon/store/archive.h"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/store/chunk_codec.h"
#include "daemon/store/history.h"
#include "daemon/store/journal_row.h"

namespace tocsin::store {
namespace {

constexpr int kCacheKib = 4096;
constexpr int kRowsPerRead = 256;  // Of the journal, in one transaction.

// Adds what is newer than the columns' last sample: a chunk that was saved while the
// journal was read has the same samples once more.
void AddNewer(const model::SampleColumns& samples, model::TimeRange range,
              model::SampleColumns& out, std::size_t first_of_series) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int64_t time_ms = samples.times_ms[i];
    if (time_ms < range.from_ms || time_ms > range.to_ms) continue;
    if (out.size() > first_of_series && out.times_ms.back() >= time_ms) continue;
    out.Add(time_ms, samples.values[i]);
  }
}

}  // namespace

class Archive::ArchiveSelection : public model::Selection {
 public:
  ArchiveSelection(const Archive& archive, std::vector<const Series*> series)
      : archive_(archive), series_(std::move(series)) {}

  std::size_t size() const override { return series_.size(); }
  const model::Labels& labels(std::size_t series) const override { return series_[series]->labels; }
  Result<> Read(std::size_t series, model::TimeRange range,
                model::SampleColumns& out) const override {
    return archive_.ReadSamples(*series_[series], range, out);
  }

 private:
  const Archive& archive_;
  std::vector<const Series*> series_;
};

Archive::~Archive() = default;

Result<std::unique_ptr<Archive>> Archive::Open(const std::string& folder) {
  const std::string path = folder + "/history.db";
  TOCSIN_ASSIGN_OR_RETURN(
      auto database,
      Database::Open(
          {.path = path, .cache_kib = kCacheKib, .quick_check = false, .read_only = true}));
  std::unique_ptr<Archive> archive(new Archive(std::move(database)));
  MutexLock lock(archive->mutex_);
  TOCSIN_RETURN_IF_ERROR(archive->CheckVersion(path));
  // The journal before the chunks, which are read later: what moves from the one to the
  // other meanwhile is then seen twice, and not missed.
  TOCSIN_RETURN_IF_ERROR(archive->ReadSeries());
  TOCSIN_RETURN_IF_ERROR(archive->ReadJournal());
  TOCSIN_RETURN_IF_ERROR(archive->ReadExtent());
  TOCSIN_ASSIGN_OR_RETURN(
      auto chunks,
      archive->database_->Prepare("SELECT first_ms, checksum, data FROM chunk WHERE series = ? "
                                  "AND last_ms >= ? ORDER BY last_ms"));
  archive->chunks_ = std::make_unique<Statement>(std::move(chunks));
  return archive;
}

Result<> Archive::CheckVersion(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(Statement version, database_->Prepare("PRAGMA user_version"));
  TOCSIN_ASSIGN_OR_RETURN(const bool row, version.Step());
  const std::int64_t number = row ? version.Int(0) : 0;
  if (number == History::kSchemaVersion) return {};
  return Error{ErrorCode::kInvalidArgument, path + ": schema version " + std::to_string(number) +
                                                " is not this program's " +
                                                std::to_string(History::kSchemaVersion)};
}

Result<> Archive::ReadSeries() {
  TOCSIN_ASSIGN_OR_RETURN(Statement rows, database_->Prepare("SELECT id, labels FROM series"));
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return {};
    auto labels = DecodeLabels(rows.Blob(1));
    if (!labels) {
      ++damaged_;
      continue;
    }
    by_metric_[std::string(labels->Name())].push_back(series_.size());
    series_.push_back({static_cast<std::uint64_t>(rows.Int(0)), *std::move(labels), {}});
  }
}

Result<> Archive::ReadJournal() {
  std::unordered_map<std::uint64_t, std::size_t> by_id;
  for (std::size_t i = 0; i < series_.size(); ++i) by_id.emplace(series_[i].id, i);
  TOCSIN_ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare("SELECT seq, payload FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"));
  std::int64_t last = -1;
  std::int64_t count = 0;
  for (bool more = true; more;) {
    rows.Bind(1, last).Bind(2, std::int64_t{kRowsPerRead});
    more = false;
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) break;
      more = true;
      last = rows.Int(0);
      const auto samples = DecodeJournalRow(rows.Blob(1));
      if (!samples) {
        ++damaged_;
        continue;
      }
      for (const JournalSample& sample : *samples) {
        const auto known = by_id.find(sample.history_id);
        if (known == by_id.end()) continue;  // A series of a commit that came later.
        model::SampleColumns& journal = series_[known->second].journal;
        if (journal.size() > 0 && journal.times_ms.back() >= sample.time_ms) continue;
        journal.Add(sample.time_ms, sample.value);
        ++count;
      }
    }
    rows.Reset();
    if (count > kMaxJournalSamples) {
      return Error{ErrorCode::kResourceExhausted,
                   "history.db: more than " + std::to_string(kMaxJournalSamples) +
                       " samples are in the journal: is the daemon unable to save chunks?"};
    }
  }
  return {};
}

Result<> Archive::ReadExtent() {
  TOCSIN_ASSIGN_OR_RETURN(Statement ends,
                          database_->Prepare("SELECT min(first_ms), max(last_ms) FROM chunk"));
  TOCSIN_ASSIGN_OR_RETURN(const bool row, ends.Step());
  bool known = row && !ends.IsNull(0);
  if (known) extent_ = {ends.Int(0), ends.Int(1)};
  for (const Series& series : series_) {
    if (series.journal.size() == 0) continue;
    const model::TimeRange own{series.journal.times_ms.front(), series.journal.times_ms.back()};
    extent_ = known ? model::TimeRange{std::min(extent_.from_ms, own.from_ms),
                                       std::max(extent_.to_ms, own.to_ms)}
                    : own;
    known = true;
  }
  return {};
}

Result<> Archive::ReadSamples(const Series& series, model::TimeRange range,
                              model::SampleColumns& out) const {
  const std::size_t first = out.size();
  MutexLock lock(mutex_);
  Statement& chunks = *chunks_;
  const auto read = [&]() -> Result<> {
    mutex_.AssertHeld();
    chunks.Bind(1, static_cast<std::int64_t>(series.id)).Bind(2, range.from_ms);
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, chunks.Step());
      if (!row || chunks.Int(0) > range.to_ms) return {};
      const std::string bytes = chunks.Blob(2);
      const bool intact = chunks.Int(1) == std::int64_t{ChunkChecksum(series.id, bytes)};
      if (!intact || !ReadChunk(bytes, range, out)) {
        damaged_chunks_.emplace(series.id, chunks.Int(0));
      }
    }
  };
  const auto done = read();
  chunks.Reset();  // Ends the read transaction, which would hold a checkpoint up.
  TOCSIN_RETURN_IF_ERROR(done);
  AddNewer(series.journal, range, out, first);
  return {};
}

std::vector<const Archive::Series*> Archive::Matching(
    const std::vector<model::Matcher>& matchers) const {
  std::vector<const Series*> found;
  for (const model::Matcher& matcher : matchers) {
    if (matcher.name() != model::kMetricName || matcher.op() != model::MatchOp::kEqual) continue;
    const auto named = by_metric_.find(matcher.value());
    if (named == by_metric_.end()) return found;
    for (const std::size_t index : named->second) {
      if (model::MatchesAll(matchers, series_[index].labels)) found.push_back(&series_[index]);
    }
    return found;
  }
  for (const Series& series : series_) {
    if (model::MatchesAll(matchers, series.labels)) found.push_back(&series);
  }
  return found;
}

Result<std::unique_ptr<model::Selection>> Archive::Select(
    const std::vector<model::Matcher>& matchers, model::TimeRange /*range*/) const {
  return std::unique_ptr<model::Selection>(
      std::make_unique<ArchiveSelection>(*this, Matching(matchers)));
}

Result<std::vector<std::string>> Archive::LabelNames(const std::vector<model::Matcher>& matchers,
                                                     model::TimeRange /*range*/) const {
  std::set<std::string> names;
  for (const Series* series : Matching(matchers)) {
    for (const auto& [name, value] : series->labels) names.emplace(name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> Archive::LabelValues(const std::string& name,
                                                      const std::vector<model::Matcher>& matchers,
                                                      model::TimeRange /*range*/) const {
  std::set<std::string> values;
  for (const Series* series : Matching(matchers)) {
    if (series->labels.Has(name)) values.emplace(series->labels.Get(name));
  }
  return std::vector<std::string>(values.begin(), values.end());
}

std::int64_t Archive::damaged() const {
  MutexLock lock(mutex_);
  return damaged_ + static_cast<std::int64_t>(damaged_chunks_.size());
}

}  // namespace tocsin::store
