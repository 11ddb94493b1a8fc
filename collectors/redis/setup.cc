#include <fmt/format.h>

#include <algorithm>

#include "collectors/redis/address.h"
#include "collectors/redis/commands.h"
#include "collectors/redis/connection.h"
#include "collectors/redis/info.h"
#include "collectors/redis/redis.h"
#include "collectors/redis/sentinel.h"
#include "daemon/base/deadline.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

// What is asked besides OptionalParts(), everywhere; of what a Sentinel does not have, now or
// one day (of a cluster); and of keys.
constexpr std::string_view kAlways = "+info +client|setname";
constexpr std::string_view kOfServers = "+cluster|info +select";
constexpr std::string_view kKeys = "~* +scan +pttl";

// Like a Sentinel that watches nothing.
constexpr std::string_view kSentinelInfo = "sentinel_masters:0\r\n";

// What only some servers know is an error to the others: it is allowed to those of which
// `info` says that they have it; null: to none.
bool IsAllowed(const OptionalPart& part, const Info* info) {
  if (part.applies != nullptr) return info != nullptr && part.applies(*info);
  return info == nullptr || !IsSentinel(*info);
}

// The rules of ACL SETUSER, after the name. `reset` first: the same words twice make
// the same user, and nothing else that it once might have done.
Result<std::vector<std::string>> Rules(const SetupRequest& request, const Info* info) {
  const auto is_blank = [](char c) { return c <= ' '; };
  if (request.role.empty() || std::any_of(request.role.begin(), request.role.end(), is_blank)) {
    return Error{ErrorCode::kInvalidArgument, "a Redis user needs a name without blanks"};
  }
  if (request.password.empty()) {
    return Error{ErrorCode::kInvalidArgument, "a Redis user needs a password"};
  }
  const bool is_sentinel = info != nullptr && IsSentinel(*info);
  std::string text = fmt::format("reset on #{} {}", Sha256Hex(request.password.Reveal()), kAlways);
  if (!is_sentinel) text += fmt::format(" {}", kOfServers);
  for (const OptionalPart& part : OptionalParts()) {
    if (IsAllowed(part, info)) text += fmt::format(" {}", part.how_to_allow);
  }
  if (request.reads_keys && !is_sentinel) text += fmt::format(" {}", kKeys);
  std::vector<std::string> rules;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    rules.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return rules;
}

Result<std::string> SetUserLine(const SetupRequest& request, const Info* info) {
  TOCSIN_ASSIGN_OR_RETURN(const auto rules, Rules(request, info));
  return fmt::format("ACL SETUSER {} {}", request.role, fmt::join(rules, " "));
}

Result<std::vector<SetupStep>> Plan(const SetupRequest& request) {
  const Info sentinel(kSentinelInfo);
  TOCSIN_ASSIGN_OR_RETURN(const std::string line, SetUserLine(request, nullptr));
  TOCSIN_ASSIGN_OR_RETURN(const std::string of_sentinel, SetUserLine(request, &sentinel));
  std::vector<SetupStep> steps = {{"in redis-cli, as a user who may", line}};
  for (const OptionalPart& part : OptionalParts()) {
    if (IsAllowed(part, &sentinel)) continue;
    if (line.find(part.how_to_allow) != std::string::npos) continue;
    steps.push_back({"where the server has that command, also",
                     fmt::format("ACL SETUSER {} {}", request.role, part.how_to_allow)});
  }
  steps.push_back({"then, so that it outlives a restart (ACL SAVE where an aclfile is configured)",
                   "CONFIG REWRITE"});
  steps.push_back({"of a Sentinel instead (ACL SAVE where it has an aclfile)",
                   of_sentinel + "\nSENTINEL FLUSHCONFIG"});
  return steps;
}

Result<> Refused(const Reply& reply, const std::string& command) {
  if (!reply.IsError()) return {};
  return Error{ErrorCodeOf(reply), command + ": " + reply.text};
}

// How the users are kept: in the aclfile or the server's own, whichever it has. A Sentinel
// does not tell, but refuses what it has not.
Result<std::vector<Command>> WaysToKeep(Connection& connection, const Deadline& deadline,
                                        bool is_sentinel) {
  if (is_sentinel) return std::vector<Command>{{"ACL", "SAVE"}, {"SENTINEL", "FLUSHCONFIG"}};
  TOCSIN_ASSIGN_OR_RETURN(const auto asked,
                          connection.Run({{"CONFIG", "GET", "aclfile"}}, deadline));
  const Reply* file = asked[0].IsArray() ? asked[0].FindPair("aclfile") : nullptr;
  const bool has_file = file != nullptr && file->IsText() && !file->text.empty();
  return std::vector<Command>{has_file ? Command{"ACL", "SAVE"} : Command{"CONFIG", "REWRITE"}};
}

Result<> Keep(Connection& connection, const Deadline& deadline, bool is_sentinel,
              KindSetup::Applied& applied) {
  const std::string file = is_sentinel ? "sentinel.conf" : "redis.conf";
  TOCSIN_ASSIGN_OR_RETURN(const auto ways, WaysToKeep(connection, deadline, is_sentinel));
  std::string why;
  for (const Command& command : ways) {
    TOCSIN_ASSIGN_OR_RETURN(const auto kept, connection.Run({command}, deadline));
    if (!kept[0].IsError()) {
      applied.done.push_back((command[0] == "ACL" ? "the aclfile" : file) + " holds the user");
      return {};
    }
    why = kept[0].text;
  }
  applied.left.push_back(
      {fmt::format("the user is gone after a restart ({}): put this in {}", why, file),
       "user " + applied.done.front()});
  return {};
}

// Errors: kInvalidArgument if it is a user that others may be.
Result<> IsOurs(Connection& connection, const Deadline& deadline, const SetupRequest& request) {
  if (request.role == kOwnRole) return {};
  TOCSIN_ASSIGN_OR_RETURN(const auto told,
                          connection.Run({{"ACL", "GETUSER", request.role}}, deadline));
  TOCSIN_RETURN_IF_ERROR(Refused(told[0], "ACL GETUSER"));
  if (!told[0].IsArray()) return {};  // There is none.
  const Reply* passwords = told[0].FindPair("passwords");
  const std::string digest = Sha256Hex(request.password.Reveal());
  const bool has_ours =
      passwords != nullptr && std::any_of(passwords->elements.begin(), passwords->elements.end(),
                                          [&](const Reply& one) { return one.text == digest; });
  if (has_ours) return {};
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("user {} is there already, and others may use it: choose another "
                           "--role, or give its password with --password-file",
                           request.role)};
}

Result<KindSetup::Applied> Apply(const SetupRequest& request, FileSystem&,
                                 const CollectContext& context) {
  TOCSIN_ASSIGN_OR_RETURN(RedisAddress address, ParseRedisUrl(request.administrator));
  if (!request.administrator_password.empty()) address.password = request.administrator_password;
  const Deadline deadline(context.clock, context.deadline, context.stop);
  TOCSIN_ASSIGN_OR_RETURN(const auto connection, Connection::Open(address, deadline));
  TOCSIN_RETURN_IF_ERROR(IsOurs(*connection, deadline, request));
  TOCSIN_ASSIGN_OR_RETURN(const auto told, connection->Run({{"INFO"}}, deadline));
  TOCSIN_RETURN_IF_ERROR(Refused(told[0], "INFO"));
  const Info info(told[0].text);
  TOCSIN_ASSIGN_OR_RETURN(const auto rules, Rules(request, &info));
  Command command{"ACL", "SETUSER", request.role};
  command.insert(command.end(), rules.begin(), rules.end());
  TOCSIN_ASSIGN_OR_RETURN(const auto replies, connection->Run({command}, deadline));
  TOCSIN_RETURN_IF_ERROR(Refused(replies[0], "ACL SETUSER"));
  KindSetup::Applied applied;
  applied.done.push_back(fmt::format("{} {}", request.role, fmt::join(rules, " ")));
  TOCSIN_RETURN_IF_ERROR(Keep(*connection, deadline, IsSentinel(info), applied));
  applied.done.front() =
      fmt::format("user {} may run what is collected, with this password", request.role);
  return applied;
}

}  // namespace

const KindSetup kSetup{Plan, Apply};

}  // namespace tocsin::collectors::redis
