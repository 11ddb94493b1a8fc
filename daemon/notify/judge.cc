#include "daemon/notify/judge.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tocsin::notify {
namespace {

std::string LabelKey(std::string_view name, std::string_view value) {
  std::string key;
  key.reserve(name.size() + 1 + value.size());
  key += name;
  key += '\0';
  key += value;
  return key;
}

}  // namespace

Judge::Judge(const NotifyConfig& config, std::vector<const Silence*> silences, Inhibitor inhibitor,
             WallTime now)
    : config_(config), silences_(std::move(silences)), inhibitor_(std::move(inhibitor)), now_(now) {
  for (std::size_t i = 0; i < silences_.size(); ++i) Index(i);
}

void Judge::Index(std::size_t silence) {
  for (const model::Matcher& matcher : silences_[silence]->matchers) {
    if (matcher.MatchesEmpty()) continue;  // Also matches where the label is not.
    if (matcher.op() == model::MatchOp::kEqual) {
      by_label_[LabelKey(matcher.name(), matcher.value())].push_back(silence);
      return;
    }
    if (matcher.op() != model::MatchOp::kRegex || matcher.Literals().empty()) continue;
    for (const std::string& value : matcher.Literals()) {
      auto& list = by_label_[LabelKey(matcher.name(), value)];
      if (list.empty() || list.back() != silence) list.push_back(silence);
    }
    return;
  }
  for_any_.push_back(silence);
}

std::vector<std::string> Judge::SilencedBy(const model::Labels& labels) const {
  std::vector<std::size_t> found;
  const auto look_at = [&](const std::vector<std::size_t>& candidates) {
    for (const std::size_t i : candidates) {
      if (model::MatchesAll(silences_[i]->matchers, labels)) found.push_back(i);
    }
  };
  look_at(for_any_);
  if (!by_label_.empty()) {
    for (const auto& [name, value] : labels) {
      const auto candidates = by_label_.find(LabelKey(name, value));
      if (candidates != by_label_.end()) look_at(candidates->second);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> ids;
  for (const std::size_t i : found) ids.push_back(silences_[i]->id);
  return ids;
}

Judgement Judge::Of(const RouteConfig* route, const TrackedAlert& alert) const {
  Judgement judgement;
  judgement.silenced_by = SilencedBy(alert.alert.labels);
  judgement.inhibited_by = inhibitor_.InhibitedBy(alert.alert.labels, alert.fingerprint);
  if (route) {
    for (const std::string& name : route->mute_time_intervals) {
      if (config_.time_intervals.at(name).Contains(now_)) judgement.muted_by.push_back(name);
    }
    const auto& active = route->active_time_intervals;
    const bool inactive = std::none_of(active.begin(), active.end(), [&](const auto& name) {
      return config_.time_intervals.at(name).Contains(now_);
    });
    if (inactive) {
      judgement.muted_by.insert(judgement.muted_by.end(), active.begin(), active.end());
    }
  }
  if (!judgement.silenced_by.empty()) {
    judgement.quiet = Quiet::kSilenced;
  } else if (!judgement.muted_by.empty()) {
    judgement.quiet = Quiet::kMuted;
  } else if (!judgement.inhibited_by.empty()) {
    judgement.quiet = Quiet::kInhibited;
  } else if (!route && !alert.resolved) {
    judgement.quiet = Quiet::kUnrouted;
  }
  return judgement;
}

}  // namespace tocsin::notify
