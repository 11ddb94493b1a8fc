// `tocsin setup pgbouncer`: PgBouncer knows no SQL for users; they are lines of its files.

#include <fmt/format.h>

#include "collectors/pgbouncer/console.h"
#include "collectors/pgbouncer/console_dsn.h"
#include "collectors/pgbouncer/ini_file.h"
#include "collectors/pgbouncer/pgbouncer.h"
#include "daemon/base/scram.h"

namespace tocsin::collectors::pgbouncer {
namespace {

constexpr std::string_view kStatsUsers = "stats_users";
constexpr std::string_view kAuthFile = "auth_file";

Result<std::string> UserLine(const SetupRequest& request) {
  if (request.role.empty() || request.role.find_first_of("\", \t\n") != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 "a user of PgBouncer needs a name without blanks, commas and quotes"};
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::string verifier, ScramVerifier(request.password));
  return fmt::format("\"{}\" \"{}\"", request.role, verifier);
}

Result<std::vector<SetupStep>> Plan(const SetupRequest& request) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string user, UserLine(request));
  return std::vector<SetupStep>{
      {"in section [pgbouncer] of " + request.ini_file + ", beside the users that are there",
       fmt::format("{} = {}", kStatsUsers, request.role)},
      {"in the file that auth_file names there", user},
      {"then, to take it over", "systemctl reload pgbouncer"}};
}

Result<> ChangeUsers(const SetupRequest& request, FileSystem& files, const std::string& auth_file,
                     KindSetup::Applied& applied) {
  TOCSIN_ASSIGN_OR_RETURN(const std::string line, UserLine(request));
  // One that is missing is not made: nobody but PgBouncer knows as whom it reads it.
  TOCSIN_ASSIGN_OR_RETURN(const std::string text, files.Read(auth_file));
  const std::string known = SecretOfUser(text, request.role);
  // PgBouncer takes an MD5 for no other method than md5: ours is written anew.
  const bool is_others_md5 =
      request.role != kOwnRole && Md5Matches(known, request.role, request.password);
  if (is_others_md5 || ScramMatches(known, request.password) ||
      known == request.password.Reveal()) {
    applied.done.push_back(auth_file + " has the user with this password");
    return {};
  }
  if (!known.empty() && request.role != kOwnRole) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: user {} has another password, which others may use: choose "
                             "another --role, or give that one with --password-file",
                             auth_file, request.role)};
  }
  TOCSIN_RETURN_IF_ERROR(files.WriteAtomically(auth_file, WithUser(text, request.role, line)));
  applied.done.push_back(auth_file + " has the user, now with this password");
  return {};
}

Result<> Reload(const SetupRequest& request, const CollectContext& context,
                KindSetup::Applied& applied) {
  if (request.administrator.empty()) {
    applied.left.push_back({"to take it over", "systemctl reload pgbouncer"});
    return {};
  }
  TOCSIN_ASSIGN_OR_RETURN(ConsoleAddress address, ParseConsoleDsn(request.administrator));
  if (!request.administrator_password.empty()) address.password = request.administrator_password;
  const Deadline deadline(context.clock, context.deadline, context.stop);
  TOCSIN_ASSIGN_OR_RETURN(const auto console, Console::Open(address, deadline));
  TOCSIN_RETURN_IF_ERROR(console->Run("RELOAD", deadline));
  applied.done.push_back("PgBouncer has read its files again");
  return {};
}

Result<KindSetup::Applied> Apply(const SetupRequest& request, FileSystem& files,
                                 const CollectContext& context) {
  TOCSIN_RETURN_IF_ERROR(UserLine(request));
  TOCSIN_ASSIGN_OR_RETURN(const std::string before, files.Read(request.ini_file));
  TOCSIN_ASSIGN_OR_RETURN(const IniFile ini, IniFile::Parse(before, request.ini_file));
  const std::string auth_file = ini.Value(kAuthFile);
  if (auth_file.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 request.ini_file +
                     ": no auth_file in section [pgbouncer]; without it nobody can "
                     "log in to the console with a password"};
  }
  KindSetup::Applied applied;
  TOCSIN_RETURN_IF_ERROR(ChangeUsers(request, files, auth_file, applied));
  const std::string after = ini.WithListed(kStatsUsers, request.role);
  if (after != before) TOCSIN_RETURN_IF_ERROR(files.WriteAtomically(request.ini_file, after));
  applied.done.push_back(fmt::format("{}: stats_users names {}", request.ini_file, request.role));
  TOCSIN_RETURN_IF_ERROR(Reload(request, context, applied));
  return applied;
}

}  // namespace

const KindSetup kSetup{Plan, Apply};

}  // namespace tocsin::collectors::pgbouncer
