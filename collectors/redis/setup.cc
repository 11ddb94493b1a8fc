#include <fmt/format.h>

#include <algorithm>

#include "collectors/redis/address.h"
#include "collectors/redis/commands.h"
#include "collectors/redis/connection.h"
#include "collectors/redis/info.h"
#include "collectors/redis/redis.h"
#include "daemon/base/deadline.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::redis {
namespace {

// What is asked besides OptionalParts(), and what may be one day (of a cluster).
constexpr std::string_view kAlways = "+info +client|setname +cluster|info +select";
constexpr std::string_view kKeys = "~* +scan +pttl";

// What only some servers know is an error to the others: it is allowed to those of which
// `info` says that they have it; null: to none.
bool IsAllowed(const OptionalPart& part, const Info* info) {
  return part.applies == nullptr || (info != nullptr && part.applies(*info));
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
  std::string text = fmt::format("reset on #{} {}", Sha256Hex(request.password.Reveal()), kAlways);
  for (const OptionalPart& part : OptionalParts()) {
    if (IsAllowed(part, info)) text += fmt::format(" {}", part.how_to_allow);
  }
  if (request.reads_keys) text += fmt::format(" {}", kKeys);
  std::vector<std::string> rules;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    rules.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return rules;
}

Result<std::vector<SetupStep>> Plan(const SetupRequest& request) {
  TOCSIN_ASSIGN_OR_RETURN(const auto rules, Rules(request, nullptr));
  std::string line = "ACL SETUSER " + request.role;
  for (const std::string& rule : rules) line += " " + rule;
  std::vector<SetupStep> steps = {{"in redis-cli, as a user who may", line}};
  for (const OptionalPart& part : OptionalParts()) {
    if (line.find(part.how_to_allow) != std::string::npos) continue;
    steps.push_back({"where the server has that command, also",
                     fmt::format("ACL SETUSER {} {}", request.role, part.how_to_allow)});
  }
  steps.push_back({"then, so that it outlives a restart (ACL SAVE where an aclfile is configured)",
                   "CONFIG REWRITE"});
  return steps;
}

Result<> Refused(const Reply& reply, const std::string& command) {
  if (!reply.IsError()) return {};
  return Error{ErrorCodeOf(reply), command + ": " + reply.text};
}

// Writes the users to the aclfile or redis.conf, whichever the server has.
Result<> Keep(Connection& connection, const Deadline& deadline, KindSetup::Applied& applied) {
  TOCSIN_ASSIGN_OR_RETURN(const auto asked,
                          connection.Run({{"CONFIG", "GET", "aclfile"}}, deadline));
  const Reply* file = asked[0].IsArray() ? asked[0].FindPair("aclfile") : nullptr;
  const bool has_file = file != nullptr && file->IsText() && !file->text.empty();
  const Command command = has_file ? Command{"ACL", "SAVE"} : Command{"CONFIG", "REWRITE"};
  TOCSIN_ASSIGN_OR_RETURN(const auto kept, connection.Run({command}, deadline));
  if (!kept[0].IsError()) {
    applied.done.push_back(has_file ? "the aclfile holds the user" : "redis.conf holds the user");
    return {};
  }
  applied.left.push_back(
      {"the user is gone after a restart of Redis (" + kept[0].text + "): put this in redis.conf",
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
  std::string line = request.role;
  for (const std::string& rule : rules) line += " " + rule;
  applied.done.push_back(std::move(line));
  TOCSIN_RETURN_IF_ERROR(Keep(*connection, deadline, applied));
  applied.done.front() =
      fmt::format("user {} may run what is collected, with this password", request.role);
  return applied;
}

}  // namespace

const KindSetup kSetup{Plan, Apply};

}  // namespace tocsin::collectors::redis
