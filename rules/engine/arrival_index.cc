#include "rules/engine/arrival_index.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tocsin::rules {
namespace {

std::uint64_t SequenceHash(std::span<const model::SeriesSample> samples) {
  std::uint64_t hash = 0x9E3779B97F4A7C15ULL ^ samples.size();
  for (const auto& sample : samples) {
    hash ^= sample.series->id + 0x9E3779B97F4A7C15ULL + (hash << 6) + (hash >> 2);
  }
  return hash;
}

const std::string* MetricOf(const std::vector<model::Matcher>& selector) {
  for (const auto& matcher : selector) {
    if (matcher.name() == model::kMetricName && matcher.op() == model::MatchOp::kEqual) {
      return &matcher.value();
    }
  }
  return nullptr;
}

}  // namespace

ArrivalIndex::ArrivalIndex(std::vector<std::shared_ptr<RunningGroup>> groups)
    : groups_(std::move(groups)) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const auto& rules = groups_[g]->rules();
    for (std::size_t r = 0; r < rules.size(); ++r) {
      for (const auto& selector : rules[r].inputs.selectors) {
        const std::string* metric = MetricOf(selector);
        auto& readers = metric != nullptr ? by_metric_[*metric] : any_metric_;
        readers.push_back({{g, r}, &selector});
      }
    }
  }
}

std::shared_ptr<const ArrivalIndex::Hits> ArrivalIndex::Find(
    const model::CommitContext& context, std::span<const model::SeriesSample> samples) const {
  const bool memorable = context.origin == model::CommitOrigin::kCollection;
  const std::uint64_t series = memorable ? SequenceHash(samples) : 0;
  if (memorable) {
    MutexLock lock(mutex_);
    const auto found = remembered_.find(context.target);
    if (found != remembered_.end() && found->second.series == series) return found->second.hits;
  }
  auto hits = std::make_shared<const Hits>(LookUp(samples));
  if (memorable) {
    MutexLock lock(mutex_);
    if (remembered_.size() < kMaxRemembered || remembered_.count(context.target) > 0) {
      remembered_.insert_or_assign(context.target, Remembered{series, hits});
    }
  }
  return hits;
}

ArrivalIndex::Hits ArrivalIndex::LookUp(std::span<const model::SeriesSample> samples) const {
  std::set<Hit> hits;
  const auto test = [&hits](const std::vector<Reader>& readers, const model::Labels& labels) {
    for (const Reader& reader : readers) {
      if (hits.count(reader.hit) == 0 && model::MatchesAll(*reader.selector, labels)) {
        hits.insert(reader.hit);
      }
    }
  };
  for (const auto& sample : samples) {
    const model::Labels& labels = sample.series->labels;
    const auto named = by_metric_.find(labels.Name());
    if (named != by_metric_.end()) test(named->second, labels);
    test(any_metric_, labels);
  }
  return {hits.begin(), hits.end()};
}

}  // namespace tocsin::rules
