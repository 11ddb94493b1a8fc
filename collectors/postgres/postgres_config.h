#pragma once

// A postgres target's configuration, finished: it cannot be wrong.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/postgres/custom_query.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/base/secret.h"

namespace re2 {
class RE2;
}

namespace tocsin::collectors::postgres {

// Whose metric names: a version of postgres_exporter, or all spellings together.
enum class Names { k020, k015, k011, kAll };

struct ServerAddress {
  std::string host;      // A name, an address, or a folder of unix sockets.
  std::string hostaddr;  // An address that makes looking up `host` unnecessary; may be empty.
  std::string port;

  bool operator==(const ServerAddress&) const = default;
};

// Which databases have series of their own. Immutable.
class DatabaseFilter {
 public:
  DatabaseFilter();  // Every database.
  // Errors: kInvalidArgument names the expression that is wrong.
  static Result<DatabaseFilter> Make(const std::vector<std::string>& include,
                                     const std::vector<std::string>& exclude);
  bool Allows(std::string_view database) const;

 private:
  std::vector<std::shared_ptr<const re2::RE2>> include_;  // Empty: all.
  std::vector<std::shared_ptr<const re2::RE2>> exclude_;
};

struct LogOptions {
  bool enabled = true;
  std::string path;  // Empty: ask the server.
};

struct PostgresOptions {
  // libpq's keywords and values but host, hostaddr, port and password.
  std::vector<std::pair<std::string, std::string>> connection;
  Secret password;  // Empty: PGPASSWORD and the password file are asked, as libpq does.
  std::vector<ServerAddress> servers;            // At least one.
  std::string instance;                          // "host:port", "/folder:port"; joined by commas.
  std::string_view application_name = "tocsin";  // Of constant text.

  Names names = Names::k020;
  DatabaseFilter databases;
  int database_limit = 0;
  std::map<std::string, bool, std::less<>> switched;  // Subjects turned on or off by name.
  int statement_limit = 0;
  int table_limit = 0;  // For one database, of up to ten: SubjectRun::ObjectLimit(); likewise:
  int index_limit = 0;
  bool statement_texts = false;  // Show pg_stat_statements_query_id, with query texts.
  int statement_text_length = 0;
  LogOptions log;
  std::vector<CustomQuery> queries;

  bool IsOn(std::string_view subject, bool by_default) const;
  void SetDatabase(const std::string& name);  // The one that is connected to.
};

// A connection string, split. Errors: kInvalidArgument; the message never quotes
// the string, which may hold a password.
struct ParsedDsn {
  std::vector<std::pair<std::string, std::string>> connection;
  Secret password;
  std::vector<ServerAddress> servers;
};
Result<ParsedDsn> ParseDsn(const std::string& dsn);

// "host:port" as the exporters' users expect it, with brackets around IPv6.
std::string InstanceOf(const std::vector<ServerAddress>& servers);

// Reads a target's keys; errors go to the reader's.
PostgresOptions ParsePostgresOptions(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::postgres
