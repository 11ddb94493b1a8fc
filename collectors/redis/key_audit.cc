#include "collectors/redis/key_audit.h"

#include <algorithm>
#include <utility>

namespace tocsin::collectors::redis {

using model::MetricBatch;
using model::MetricType;

KeyAudit::Outcome KeyAudit::Step(Connection& connection, WallTime now, const Deadline& deadline) {
  if (cursor_.empty()) {
    // A wall clock that was set back must not keep a pass from beginning.
    bool too_soon = now >= last_began_ && now - last_began_ < kPassInterval;
    if (too_soon) return {};
    cursor_ = "0";
    current_ = Pass{};
    current_.findings.resize(policies_.size());
    current_.began = last_began_ = now;
  }
  const SteadyTime enough = deadline.clock().SteadyNow() + kBudget;
  bool lost = false;
  do {
    auto step = RunStep(connection, deadline, lost);
    if (!step.ok()) {
      cursor_.clear();
      return {step.error(), lost};
    }
    if (*step) {
      cursor_.clear();
      current_.ended = now;
      last_ = std::exchange(current_, Pass{});
      ++passes_;
      return {};
    }
  } while (deadline.clock().SteadyNow() < enough && deadline.Left() > kBudget);
  return {};
}

Result<bool> KeyAudit::RunStep(Connection& connection, const Deadline& deadline, bool& lost) {
  auto replies =
      connection.Run({{"SCAN", cursor_, "COUNT", std::to_string(kKeysPerStep)}}, deadline);
  if (!replies.ok()) {
    lost = true;
    return replies.error();
  }
  const Reply& reply = replies->front();
  if (reply.IsError()) return Error{ErrorCodeOf(reply), "SCAN: " + reply.text};
  if (reply.elements.size() != 2 || !reply.elements[0].IsText() || !reply.elements[1].IsArray()) {
    return Error{ErrorCode::kCorruption, "SCAN answered something unexpected"};
  }
  const std::vector<Reply>& keys = reply.elements[1].elements;
  current_.scanned += static_cast<std::int64_t>(keys.size());
  scanned_total_ += static_cast<std::int64_t>(keys.size());
  TOCSIN_RETURN_IF_ERROR(CheckKeys(connection, keys, deadline, lost));
  cursor_ = reply.elements[0].text;
  return cursor_ == "0";
}

Result<> KeyAudit::CheckKeys(Connection& connection, const std::vector<Reply>& keys,
                             const Deadline& deadline, bool& lost) {
  std::vector<Command> commands;
  std::vector<std::size_t> policies;
  for (const Reply& key : keys) {
    auto policy = PolicyOf(key.text);
    if (!policy.has_value()) continue;
    commands.push_back({"PTTL", key.text});
    policies.push_back(*policy);
  }
  if (commands.empty()) return {};
  auto replies = connection.Run(commands, deadline);
  if (!replies.ok()) {
    lost = true;
    return replies.error();
  }
  for (std::size_t i = 0; i < replies->size(); ++i) {
    const Reply& reply = (*replies)[i];
    if (reply.IsError()) return Error{ErrorCodeOf(reply), "PTTL: " + reply.text};
    if (reply.type != Reply::Type::kInteger) {
      return Error{ErrorCode::kCorruption, "PTTL answered something unexpected"};
    }
    Judge(policies[i], reply.integer);
  }
  return {};
}

void KeyAudit::Judge(std::size_t policy, std::int64_t ttl_ms) {
  constexpr std::int64_t kNoKey = -2;  // It has expired since SCAN saw it.
  constexpr std::int64_t kNoTtl = -1;
  if (ttl_ms == kNoKey) return;
  Finding& finding = current_.findings[policy];
  ++finding.keys;
  if (ttl_ms == kNoTtl) {
    ++finding.without_ttl;
    return;
  }
  if (ttl_ms > policies_[policy].max_ttl.count()) ++finding.over_ttl;
  finding.longest_ttl_ms = std::max(finding.longest_ttl_ms, ttl_ms);
}

std::optional<std::size_t> KeyAudit::PolicyOf(const std::string& key) const {
  std::optional<std::size_t> longest;
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    const std::string& prefix = policies_[i].prefix;
    if (!key.starts_with(prefix)) continue;
    if (!longest.has_value() || prefix.size() > policies_[*longest].prefix.size()) longest = i;
  }
  return longest;
}

void KeyAudit::Write(MetricBatch& batch) const {
  auto declare = [&batch](std::string_view name, std::string_view help) {
    return batch.DeclareFamily(name, help, MetricType::kGauge, {"prefix"});
  };
  auto max_ttl = declare("tocsin_redis_key_policy_max_ttl_seconds",
                         "Longest time to live that keys of the prefix may have");
  for (const KeyPolicy& policy : policies_) {
    batch.Add(max_ttl, {policy.prefix}, ToSeconds(policy.max_ttl));
  }
  batch.AddCounter("tocsin_redis_key_audit_passes_total", "Complete passes over the keys",
                   static_cast<double>(passes_));
  batch.AddCounter("tocsin_redis_key_audit_scanned_keys_total", "Keys seen by the audit",
                   static_cast<double>(scanned_total_));
  if (!last_.has_value()) return;

  auto keys = declare("tocsin_redis_key_policy_keys", "Keys of the prefix");
  auto without =
      declare("tocsin_redis_key_policy_keys_without_ttl", "Keys of the prefix that never expire");
  auto over = declare("tocsin_redis_key_policy_keys_over_max_ttl",
                      "Keys of the prefix that live longer than the policy allows");
  auto longest = declare("tocsin_redis_key_policy_longest_ttl_seconds",
                         "Longest time to live found among keys of the prefix");
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    const Finding& finding = last_->findings[i];
    const std::string& prefix = policies_[i].prefix;
    batch.Add(keys, {prefix}, static_cast<double>(finding.keys));
    batch.Add(without, {prefix}, static_cast<double>(finding.without_ttl));
    batch.Add(over, {prefix}, static_cast<double>(finding.over_ttl));
    batch.Add(longest, {prefix}, static_cast<double>(finding.longest_ttl_ms) / 1000);
  }
  batch.AddGauge("tocsin_redis_key_audit_last_pass_timestamp_seconds",
                 "When the last complete pass ended, in Unix time",
                 static_cast<double>(ToUnixMillis(last_->ended)) / 1000);
  batch.AddGauge("tocsin_redis_key_audit_last_pass_duration_seconds",
                 "How long the last complete pass took", ToSeconds(last_->ended - last_->began));
  batch.AddGauge("tocsin_redis_key_audit_last_pass_keys", "Keys seen by the last complete pass",
                 static_cast<double>(last_->scanned));
}

}  // namespace tocsin::collectors::redis
