// What the dispatcher knows, for those who only look.

#include <algorithm>

#include "daemon/notify/dispatcher.h"

namespace tocsin::notify {

std::vector<const Silence*> Dispatcher::ActiveSilences(WallTime now) const {
  std::vector<const Silence*> active;
  for (const auto& [id, silence] : silences_) {
    if (silence.StateAt(now) == SilenceState::kActive) active.push_back(&silence);
  }
  return active;
}

Judge Dispatcher::MakeJudge(WallTime now) const {
  Inhibitor inhibitor(config_->inhibit_rules);
  for (const auto& [fingerprint, alert] : alerts_) {
    if (!alert->resolved) inhibitor.AddSource(*alert);
  }
  return Judge(*config_, ActiveSilences(now), std::move(inhibitor), now);
}

AlertsView Dispatcher::View(WallTime now) const {
  AlertsView view;
  view.config = config_;
  view.routes = routes_;
  view.alerts.reserve(alerts_.size());
  for (const auto& [fingerprint, alert] : alerts_) view.alerts.push_back(alert);
  for (const Silence* silence : ActiveSilences(now)) view.silences.push_back(*silence);
  view.groups.reserve(groups_.size());
  for (const auto& [id, group] : groups_) {
    AlertsView::OfGroup& shown = view.groups.emplace_back();
    shown.id = id;
    shown.labels = group.labels;
    shown.route = group.route;
    shown.flushed = group.flushed;
    shown.next_flush = group.next_flush;
    shown.members.reserve(group.members.size());
    for (const std::uint64_t fingerprint : group.members) {
      const auto alert = alerts_.find(fingerprint);
      if (alert != alerts_.end()) shown.members.push_back(alert->second);
    }
  }
  return view;
}

Judge AlertsView::MakeJudge(WallTime now) const {
  Inhibitor inhibitor(config->inhibit_rules);
  for (const AlertPtr& alert : alerts) {
    if (!alert->resolved) inhibitor.AddSource(*alert);
  }
  std::vector<const Silence*> active;
  for (const Silence& silence : silences) active.push_back(&silence);
  return Judge(*config, std::move(active), std::move(inhibitor), now);
}

std::vector<std::string> AlertsView::ReceiversOf(const model::Labels& labels) const {
  std::vector<std::string> names;
  for (const RouteNode* node : routes->Match(labels)) {
    const std::string& name = node->config->receiver;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace tocsin::notify
