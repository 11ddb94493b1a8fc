#pragma once

// The dispatcher decides: which groups an alert belongs to, when a group is
// flushed, what each integration is told. It holds everything notify knows in
// memory and does no I/O: a decision is a Step, made from the state and the time
// (Plan… are const), written to disk by the caller, and then taken over by Apply.
// What could not be written has not happened.
//
// Not thread-safe; Notifier guards it. Internal.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/notify/inhibition.h"
#include "daemon/notify/judge.h"
#include "daemon/notify/moment.h"
#include "daemon/notify/notification.h"
#include "daemon/notify/notification_log.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/outbox.h"
#include "daemon/notify/route_tree.h"
#include "daemon/notify/silence.h"
#include "daemon/notify/state_db.h"
#include "daemon/notify/tracked_alert.h"

namespace tocsin::notify {

struct Group {
  GroupId id;
  const RouteConfig* route = nullptr;  // Null: the route is gone, only ends are told.
  model::Labels labels;
  std::set<std::uint64_t> members;
  bool flushed = false;
  SteadyTime next_flush{};
  std::map<std::string, LogEntry> log;  // By integration.
  std::set<std::uint64_t> hushed;       // Silenced or muted members at the last look.

  bool Knows(std::uint64_t fingerprint) const;   // Told as firing or as resolved.
  bool IsOpen(std::uint64_t fingerprint) const;  // Told as firing, not as resolved.
};

struct Step {
  Changes changes;  // To be written first.
  // What Apply() takes over besides; an alert or group that is not on disk
  // differently (a repeat, a timer) is here alone.
  std::map<std::uint64_t, AlertPtr> alerts;
  std::map<GroupId, std::optional<Group>> groups;  // Nothing: forgotten.
  std::optional<std::set<std::string>> active_silences;
  std::optional<WallTime> intervals_looked_at;
  std::size_t alerts_over_limit = 0;  // New alerts left out by PlanAccept.
  std::size_t refused = 0;            // Notifications put off because the outbox is full.
};

// What a listing is made of: taken at one moment, and free of any lock from then on.
struct AlertsView {
  struct OfGroup {
    GroupId id;
    model::Labels labels;
    const RouteConfig* route = nullptr;  // Of `config`.
    bool flushed = false;
    SteadyTime next_flush{};
    std::vector<AlertPtr> members;
  };
  std::shared_ptr<const NotifyConfig> config;
  std::shared_ptr<const RouteTree> routes;
  std::vector<AlertPtr> alerts;   // By fingerprint.
  std::vector<Silence> silences;  // Active ones, by id.
  std::vector<OfGroup> groups;    // By id.

  Judge MakeJudge(WallTime now) const;  // The view must outlive it.
  // The receivers that the routes name for these labels, in their order, each once.
  std::vector<std::string> ReceiversOf(const model::Labels& labels) const;
};

// How much may be known after a batch.
struct AlertLimits {
  std::size_t alerts = 0;
  std::size_t bytes = 0;  // Of labels, annotations and links, of all alerts together.
};

class Dispatcher {
 public:
  explicit Dispatcher(std::shared_ptr<const NotifyConfig> config);

  // What the last process left, routed by this configuration. What a receiver of
  // `renamed` (old name to new) was told, the one of the new name was told. The step
  // clears from the disk what nothing refers to any more.
  using ReceiverNames = std::map<std::string, std::string>;
  Step Restore(StoredState stored, const ReceiverNames& renamed, Moment now);
  // The same for what another configuration's dispatcher knows.
  Step TakeOver(const Dispatcher& old, const ReceiverNames& renamed, Moment now);

  // Beyond `limits` alerts are left out and counted in the step: new ones, and news
  // that make a known one larger. What is known goes on being refreshed and ended.
  // Errors: kInvalidArgument for an alert without labels.
  Result<Step> PlanAccept(std::vector<model::Alert> batch, Moment now,
                          const AlertLimits& limits) const;

  // Ends alerts that nobody sent again, looks at silences and intervals, flushes
  // the groups that are due.
  Step PlanDue(Moment now, const Outbox& outbox) const;

  // A delivery was made: from here on its alerts are known there.
  void PlanTaken(const Delivery& delivery, Step& step) const;
  // A delivery will never be made: unless a later one tells them, its alerts count as
  // untold, or, if an earlier one was taken, as due for a repeat. What it would have told
  // as resolved, and its payload still says, is open again: the next flush of its group
  // tells the end anew, until that lies kDeliveryLifetime back.
  void PlanUntell(const Delivery& delivery, Moment now, const Outbox& outbox, Step& step) const;

  void Apply(Step step);

  // When PlanDue has something to do next.
  SteadyTime NextWake(Moment now) const;

  const std::map<std::uint64_t, AlertPtr>& alerts() const { return alerts_; }
  const std::map<GroupId, Group>& groups() const { return groups_; }
  const std::map<std::string, Silence>& silences() const { return silences_; }
  const std::shared_ptr<const NotifyConfig>& config() const { return config_; }

  // Copies no more than a listing needs.
  AlertsView View(WallTime now) const;
  // Over what is known now; not to be kept beyond the next step.
  Judge MakeJudge(WallTime now) const;
  const std::vector<IntegrationConfig>& IntegrationsOf(const Group& group) const;
  // What a flush of this group for `integration` would decide now.
  Decision Foresee(const Group& group, const IntegrationConfig& integration, const Judge& judge,
                   WallTime now) const;

 private:
  struct Look;  // What one PlanDue sees (dispatcher_flush.cc).

  Step RebuildRenamed(const std::map<GroupId, Group>& old_groups, const ReceiverNames& renamed,
                      Moment now);
  Step Rebuild(std::map<GroupId, Group> old_groups, Moment now);
  void DropUnknownIntegrations(Group& group) const;
  void PlaceRestored(const TrackedAlert& alert, const std::map<GroupId, Group>& old_groups,
                     Moment now);
  void PlaceAlert(Step& step, const TrackedAlert* known, const TrackedAlert& alert,
                  Moment now) const;
  bool AnyGroupKnows(const Step& step, const model::Labels& labels,
                     std::uint64_t fingerprint) const;
  // The group as `step` has it so far, or as it is; null if there is none.
  const Group* Current(const Step& step, const GroupId& id) const;
  Group& Touch(Step& step, const GroupId& id) const;

  void EndExpired(Look& look) const;
  void LookAtSilences(Look& look) const;
  void LookForQuiet(Look& look, const GroupId& id) const;
  void Flush(Look& look, const Group& group) const;
  bool FlushIntegration(Look& look, Group& group, const IntegrationConfig& integration,
                        const std::vector<MemberState>& members) const;
  void ForgetUnused(Look& look) const;
  std::vector<MemberState> States(Look& look, const Group& group) const;
  AlertPtr FindAlert(const Step& step, std::uint64_t fingerprint) const;
  std::vector<const Silence*> ActiveSilences(WallTime now) const;
  Notification Compose(const Look& look, const Group& group, const Decision& decision) const;
  bool UsesIntervals(const Group& group) const;
  // The group that this delivery tells of; nothing if its integration is gone.
  std::optional<GroupId> GroupOf(const Delivery& delivery) const;
  Group MakeGroupAgain(const GroupId& id, const model::Labels& labels, const TrackedAlert& ended,
                       Moment now) const;

  std::shared_ptr<const NotifyConfig> config_;
  std::shared_ptr<const RouteTree> routes_;
  std::map<std::uint64_t, AlertPtr> alerts_;
  std::map<GroupId, Group> groups_;
  std::map<std::string, Silence> silences_;
  std::set<std::string> active_silences_;  // At the last look.
  WallTime intervals_looked_at_{};         // The minute of the last look.
};

// The traits that a kind brings, with what its configuration says.
IntegrationTraits TraitsOf(const IntegrationConfig& integration);

// How often it is flushed.
Millis IntervalOf(const Group& group);
// The group of an alert at this node.
GroupId IdOf(const RouteNode& node, const model::Labels& labels);
GroupRow RowOf(const Group& group, Moment now);

}  // namespace tocsin::notify
