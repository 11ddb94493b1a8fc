#pragma once

// The samples of a history.db, read without disturbing a daemon that may be writing
// them: the file is opened read-only, every read is a short transaction of its own, so
// that no checkpoint waits for it, and nothing is set aside, mended or trimmed. For
// `tocsin replay`; a running daemon answers from its Store.
//
// What was committed when Open() was called is there. A commit that comes later may or
// may not be. Samples of a chunk that is damaged are left out and counted.
//
// Thread-safe as Querier asks: reads go one at a time.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/result.h"
#include "daemon/base/sqlite.h"
#include "daemon/model/labels.h"
#include "daemon/model/querier.h"

namespace tocsin::store {

class Archive final : public model::Querier {
 public:
  // Samples of the journal (what is not yet in chunks), 16 bytes each.
  static constexpr std::int64_t kMaxJournalSamples = 40'000'000;

  // Opens `folder`/history.db and reads its labels and its journal.
  // Errors: kNotFound, kPermissionDenied, kIoError, kCorruption; kInvalidArgument for a
  // file that another version of the program wrote; kResourceExhausted.
  static Result<std::unique_ptr<Archive>> Open(const std::string& folder);
  ~Archive() override;

  Result<std::unique_ptr<model::Selection>> Select(const std::vector<model::Matcher>& matchers,
                                                   model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelNames(const std::vector<model::Matcher>& matchers,
                                              model::TimeRange range) const override;
  Result<std::vector<std::string>> LabelValues(const std::string& name,
                                               const std::vector<model::Matcher>& matchers,
                                               model::TimeRange range) const override;

  std::size_t series() const { return series_.size(); }
  // The times of the first and the last sample; both 0 if there is none.
  model::TimeRange Extent() const { return extent_; }
  // Series, rows of the journal and chunks that could not be read so far, each once.
  std::int64_t damaged() const;

 private:
  struct Series {
    std::uint64_t id = 0;
    model::Labels labels;
    model::SampleColumns journal;  // Of this series.
  };
  class ArchiveSelection;

  explicit Archive(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  Result<> CheckVersion(const std::string& path) REQUIRES_LOCK(mutex_);
  Result<> ReadSeries() REQUIRES_LOCK(mutex_);
  Result<> ReadJournal() REQUIRES_LOCK(mutex_);
  Result<> ReadExtent() REQUIRES_LOCK(mutex_);
  Result<> ReadSamples(const Series& series, model::TimeRange range,
                       model::SampleColumns& out) const;
  std::vector<const Series*> Matching(const std::vector<model::Matcher>& matchers) const;

  mutable Mutex mutex_;
  std::unique_ptr<Database> database_ GUARDED_BY(mutex_);
  mutable std::unique_ptr<Statement> chunks_ GUARDED_BY(mutex_);
  std::int64_t damaged_ GUARDED_BY(mutex_) = 0;
  // By series and first time.
  mutable std::set<std::pair<std::uint64_t, std::int64_t>> damaged_chunks_ GUARDED_BY(mutex_);

  // Fixed once Open() has returned.
  std::vector<Series> series_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_metric_;
  model::TimeRange extent_{};
};

}  // namespace tocsin::store
