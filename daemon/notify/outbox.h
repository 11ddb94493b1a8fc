#pragma once

// The outbox is the durable hand-off between deciding to notify somebody and
// having notified them. The dispatcher's step writes a Delivery in the same
// transaction in which it notes that the alerts were told; the integration's
// worker claims it, sends it, and settles it.
//
// Guarantee: a Delivery that was stored is attempted at least once, across
// crashes and restarts, until it is settled or expires. It can be sent twice,
// when the process dies between the receiver's answer and the settling; its
// dedup key lets the receiver recognise the repeat. Deliveries of one group to
// one integration go out one at a time, in the order they came: a resolve never
// overtakes its trigger. Only a mail that some of its recipients have had gives way to
// a newer one.
//
// The rows are state.db's (state_db.h); this is their index in memory: what is
// due, in flight, replaceable. It does not choose when to retry (retry_policy.h)
// and knows no receiver. Deliveries of a receiver that left the configuration are
// settled when it is read (notifier_orphans.cc). Thread-safe. Internal.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/notify/delivery.h"
#include "daemon/notify/moment.h"

namespace tocsin::notify {

class Outbox {
 public:
  static constexpr std::size_t kMaxPending = 10'000;

  // Takes over what is on disk. A next_attempt_at that lies further off than any
  // receiver may ask for (the clock was set back) is cut to that.
  void Restore(const std::vector<Delivery>& deliveries, Moment now);

  // The deliveries that `delivery` makes superfluous. Those not yet attempted: it tells
  // every alert again that they would have told as firing, and every end. And the mail
  // that waits for those who were put off: they are told the newest state instead.
  struct Replaced {
    std::vector<std::int64_t> ids;
    bool maybe_taken = false;  // One of them.
  };
  Replaced ReplacedBy(const Delivery& delivery) const;
  // Whether another of its group waits behind it.
  bool HasLater(const Delivery& delivery) const;

  // Whom those behind it of its group tell of, as firing or as ended.
  std::set<std::uint64_t> ToldAfter(const Delivery& delivery) const;

  // Whether something waits that nobody has had yet.
  bool HasPending(const std::string& integration, const std::string& group_key) const;
  std::size_t size() const;
  std::size_t SizeOf(const std::string& integration) const;

  // Called after the disk has it.
  void Add(const Delivery& delivery, Moment now);
  void Remove(std::int64_t id);
  void Retry(const Delivery& delivery, Moment now);

  // The oldest delivery of `integration` that is due, and first of its group; it
  // is in flight from here on, until Remove, Retry or Release. Without payload.
  std::optional<Delivery> Claim(const std::string& integration, Moment now);
  // An attempt that did not happen, or whose end nobody knows (maybe_taken).
  void Release(const Delivery& delivery);

  // When the next delivery of `integration` becomes due; nothing if none waits.
  std::optional<SteadyTime> NextDue(const std::string& integration) const;
  // Everything that waits for `integration` is due now (its settings changed).
  void MakeDue(const std::string& integration, Moment now);

  // Not in flight and past their time.
  std::vector<Delivery> Expired(Moment now) const;

  struct Waiting {
    Delivery delivery;
    bool in_flight = false;
  };
  std::vector<Waiting> List() const;  // Oldest first.

 private:
  struct Entry {
    Delivery delivery;  // Without payload.
    SteadyTime due{};
    SteadyTime expires{};  // A jump of the wall clock makes nothing old.
    bool in_flight = false;
  };
  using GroupQueue = std::map<std::int64_t, Entry>;  // By id: the order they came.
  using Lane = std::map<std::string, GroupQueue>;    // By group key; no empty queues.
  Entry* Find(std::int64_t id) REQUIRES_LOCK(mutex_);
  const GroupQueue* FindQueue(const std::string& integration, const std::string& group_key) const
      REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Lane> lanes_ GUARDED_BY(mutex_);  // By integration.
  std::map<std::int64_t, std::pair<std::string, std::string>> places_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::notify
