#include "rules/engine/series_writer.h"

#include <optional>
#include <set>

#include "daemon/model/sample.h"

namespace tocsin::rules {

Result<WriteOutcome> SeriesWriter::Write(model::SampleSink& sink, WallTime at,
                                         const SeriesValues& series, Scope scope) {
  const std::int64_t time_ms = ToUnixMillis(at);
  std::vector<model::SeriesSample> samples;
  std::optional<Error> refused;
  std::int64_t dropped = 0;
  for (auto& [labels, open] : open_) open.seen = false;
  for (const auto& [labels, value] : series) {
    auto it = open_.find(labels);
    const bool is_new = it == open_.end();
    if (is_new) {
      auto ref = sink.Resolve(labels);
      if (!ref.ok()) {
        refused = ref.error();
        ++dropped;
        continue;
      }
      it = open_.emplace(labels, Open{std::move(ref).value()}).first;
    }
    Open& open = it->second;
    open.seen = true;
    if (scope == Scope::kAll || is_new || open.value != value) {
      samples.push_back({&open.ref, time_ms, value});
    }
    open.value = value;
  }
  for (const auto& [labels, open] : open_) {
    if (!open.seen) samples.push_back({&open.ref, time_ms, model::StaleMarker()});
  }
  auto outcome = Commit(sink, at, std::move(samples));
  std::erase_if(open_, [](const auto& entry) { return !entry.second.seen; });
  if (refused) return *refused;
  if (outcome.ok()) outcome->dropped += dropped;
  return outcome;
}

std::vector<model::Labels> SeriesWriter::Gone(const SeriesValues& series) const {
  std::set<model::Labels> present;
  for (const auto& [labels, value] : series) present.insert(labels);
  std::vector<model::Labels> gone;
  for (const auto& [labels, open] : open_) {
    if (present.count(labels) == 0) gone.push_back(labels);
  }
  return gone;
}

Result<WriteOutcome> SeriesWriter::Commit(model::SampleSink& sink, WallTime at,
                                          std::vector<model::SeriesSample> samples) {
  WriteOutcome out;
  if (samples.empty()) return out;
  model::CommitContext context;
  context.origin = model::CommitOrigin::kRules;
  context.at = at;
  auto outcome = sink.Commit(context, samples);
  if (!outcome.ok() && outcome.error().code == ErrorCode::kNotFound) {
    // Refs that have expired; what was stored with the first try is a duplicate of
    // the same value now, which the sink ignores.
    for (auto& [labels, open] : open_) {
      auto ref = sink.Resolve(labels);
      if (ref.ok()) open.ref = std::move(ref).value();
    }
    outcome = sink.Commit(context, samples);
  }
  if (!outcome.ok()) return outcome.error();
  out.stored = outcome->stored;
  out.dropped = outcome->out_of_order + outcome->duplicate;
  return out;
}

}  // namespace tocsin::rules
