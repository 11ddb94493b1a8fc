#pragma once

// What a kind of target knows of its own installation: what is missing for a whole
// collection and how to mend it (`tocsin doctor`, discovery), and how to give the
// daemon exactly the rights it needs (`tocsin setup`).

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/result.h"
#include "daemon/base/secret.h"

namespace tocsin::collectors {

class Collector;
struct CollectContext;

enum class Severity {
  kNote,     // Worth knowing; everything shipped works without it.
  kWarning,  // Something that is asked for stays unseen.
  kError,    // The target cannot be watched.
};

std::string_view SeverityName(Severity severity);  // "note", "warning", "error".

struct Finding {
  Severity severity = Severity::kNote;
  std::string check;    // What was looked at, in a word or two: "login", "query durations".
  std::string message;  // What is wrong. Holds no credential.
  std::string remedy;   // The command or lines that mend it; empty if there is none.
};

struct Examination {
  Result<> reached;  // As Collector::Collect ended.
  std::vector<Finding> findings;
};

// How to mend what a collection reported; empty if that is not known.
using Remedy = std::function<std::string(const Error& error)>;

// One collection, its error, failed parts and notes as findings.
Examination ExamineByCollecting(Collector& collector, const CollectContext& context,
                                const Remedy& remedy);

// Made for the daemon alone: only its password is ever replaced.
inline constexpr std::string_view kOwnRole = "tocsin";

struct SetupRequest {
  std::string role{kOwnRole};
  Secret password;            // Empty: the role has none.
  std::string database;       // PostgreSQL: where extensions are made.
  std::string ini_file;       // PgBouncer: its configuration.
  bool reads_keys = false;    // Redis: key_policies are to be used.
  std::string administrator;  // Connection string or URL of somebody who may do it.
  Secret administrator_password;
};

struct SetupStep {
  std::string where;  // "as a superuser, in database \"postgres\"".
  std::string text;   // Lines to paste there. Holds no password, but what it is verified with.
};

// Thread-safe functions.
struct KindSetup {
  // Everything that has to be done, in order. Errors: kInvalidArgument.
  Result<std::vector<SetupStep>> (*plan)(const SetupRequest& request);

  // Does it, as far as it is not done; returns what was done and, as steps, what only
  // a person can do. Doing it again changes nothing.
  // Errors: as a collection's; kInvalidArgument; the file system's.
  struct Applied {
    std::vector<std::string> done;
    std::vector<SetupStep> left;
  };
  Result<Applied> (*apply)(const SetupRequest& request, FileSystem& files,
                           const CollectContext& context);
};

}  // namespace tocsin::collectors
