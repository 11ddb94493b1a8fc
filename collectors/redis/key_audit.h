#pragma once

// Audits key policies: keys of a prefix must have a time to live, and none above
// a maximum ("availability:" at most 5 minutes). Keys are walked with SCAN in
// small steps and asked PTTL in pipelines, a bounded time per collection, so that
// Redis is never blocked for longer than one short step; a pass over a million
// keys takes many collections. The numbers are those of the last complete pass.
//
// SCAN may return a key twice while Redis resizes its table, so counts can be
// slightly high. Keys written during a pass may or may not be in it. Not
// thread-safe.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collectors/redis/connection.h"
#include "daemon/base/clock.h"
#include "daemon/base/deadline.h"
#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors::redis {

struct KeyPolicy {
  std::string prefix;
  Millis max_ttl{};
};

inline constexpr std::size_t kMaxKeyPolicies = 100;

class KeyAudit {
 public:
  explicit KeyAudit(std::vector<KeyPolicy> policies) : policies_(std::move(policies)) {}

  bool enabled() const { return !policies_.empty(); }

  // Goes on with the pass, or begins one if the last began kPassInterval ago.
  // Errors: kPermissionDenied, kCorruption with the connection still usable (the
  // pass begins anew next time); of Connection::Run, with the connection lost.
  struct Outcome {
    std::optional<Error> error;
    bool connection_lost = false;
  };
  Outcome Step(Connection& connection, WallTime now, const Deadline& deadline);

  // Writes the policies and what the last complete pass found.
  void Write(model::MetricBatch& batch) const;

  // Time per collection after which no further step is begun.
  static constexpr Millis kBudget{50};
  static constexpr Millis kPassInterval{60'000};
  // Keys per SCAN: about 0.1 ms of Redis' time.
  static constexpr int kKeysPerStep = 100;

 private:
  struct Finding {
    std::int64_t keys = 0;
    std::int64_t without_ttl = 0;
    std::int64_t over_ttl = 0;
    std::int64_t longest_ttl_ms = 0;
  };
  struct Pass {
    std::vector<Finding> findings;  // One per policy.
    std::int64_t scanned = 0;
    WallTime began{};
    WallTime ended{};
  };

  // One SCAN and the PTTLs of the keys that have a policy. True at the pass' end.
  Result<bool> RunStep(Connection& connection, const Deadline& deadline, bool& lost);
  Result<> CheckKeys(Connection& connection, const std::vector<Reply>& keys,
                     const Deadline& deadline, bool& lost);
  void Judge(std::size_t policy, std::int64_t ttl_ms);
  // The policy of the longest prefix that `key` begins with.
  std::optional<std::size_t> PolicyOf(const std::string& key) const;

  std::vector<KeyPolicy> policies_;
  std::string cursor_;  // Empty: no pass under way.
  Pass current_;
  std::optional<Pass> last_;
  WallTime last_began_{};
  std::int64_t passes_ = 0;
  std::int64_t scanned_total_ = 0;
};

}  // namespace tocsin::collectors::redis
