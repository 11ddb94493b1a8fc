#include "collectors/postgres/postgres_config.h"

#include <libpq-fe.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>

#include "collectors/postgres/subject.h"
#include "daemon/base/host_port.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::postgres {
namespace {

constexpr std::string_view kDefaultSocketFolder = "/var/run/postgresql";
constexpr std::string_view kDefaultPort = "5432";
constexpr int kDefaultDatabaseLimit = 100;
constexpr int kMostDatabases = 10'000;
constexpr int kDefaultStatementLimit = 100;
constexpr int kMostStatements = 5'000;
constexpr int kDefaultTableLimit = 300;
constexpr int kMostTables = 50'000;
constexpr int kDefaultIndexLimit = 100;
constexpr int kDefaultTextLength = 120;
constexpr int kMostTextLength = 4'000;

// Set by the collector itself; a value of the user's would be overwritten.
constexpr std::string_view kOwnKeywords[] = {"application_name", "client_encoding",
                                             "fallback_application_name", "replication"};

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  while (true) {
    const auto comma = text.find(',', start);
    parts.push_back(text.substr(start, comma == std::string::npos ? comma : comma - start));
    if (comma == std::string::npos) return parts;
    start = comma + 1;
  }
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::vector<ServerAddress>> ServersOf(const std::string& hosts, const std::string& hostaddrs,
                                             const std::string& ports) {
  const auto host_list = SplitCommas(hosts);
  const auto address_list = SplitCommas(hostaddrs);
  const auto port_list = SplitCommas(ports);
  const std::size_t count = hostaddrs.empty() ? host_list.size() : address_list.size();
  if (!hostaddrs.empty() && !hosts.empty() && host_list.size() != count) {
    return Error{ErrorCode::kInvalidArgument, "as many hostaddr values as host values are needed"};
  }
  if (port_list.size() != 1 && port_list.size() != count) {
    return Error{ErrorCode::kInvalidArgument, "as many ports as hosts are needed, or one for all"};
  }
  std::vector<ServerAddress> servers;
  for (std::size_t i = 0; i < count; ++i) {
    ServerAddress server;
    if (!hosts.empty()) server.host = host_list[i];
    if (!hostaddrs.empty()) server.hostaddr = address_list[i];
    if (server.host.empty() && server.hostaddr.empty()) server.host = kDefaultSocketFolder;
    server.port = port_list[port_list.size() == 1 ? 0 : i];
    if (server.port.empty()) server.port = kDefaultPort;
    if (!ParsePort(server.port)) {
      return Error{ErrorCode::kInvalidArgument, "a port is a number from 1 to 65535"};
    }
    servers.push_back(std::move(server));
  }
  return servers;
}

void ReadDatabases(ConfigReader reader, PostgresOptions& options) {
  auto filter = DatabaseFilter::Make(reader.Strings("include"), reader.Strings("exclude"));
  if (filter.ok()) {
    options.databases = *std::move(filter);
  } else {
    reader.Fail("include", filter.error().message);
  }
  options.database_limit =
      static_cast<int>(reader.Int("limit", kDefaultDatabaseLimit, 1, kMostDatabases));
  reader.Finish();
}

// `stat_statements: off`, or `stat_statements: { limit: 100 }`, which turns it on.
void ReadSwitch(ConfigReader& collectors, std::string_view key,
                std::initializer_list<std::string_view> subjects, int* limit, int most,
                PostgresOptions& options) {
  if (!collectors.Has(key)) return;
  bool on = true;
  if (collectors.Node(key).kind() == ConfigNode::Kind::kMap) {
    ConfigReader reader = collectors.Map(key);
    on = reader.Bool("enabled", true);
    if (limit != nullptr) *limit = static_cast<int>(reader.Int("limit", *limit, 1, most));
    if (key == "stat_statements") {
      options.statement_texts = reader.Bool("include_query", false);
      options.statement_text_length = static_cast<int>(
          reader.Int("query_length", options.statement_text_length, 1, kMostTextLength));
    }
    reader.Finish();
  } else {
    on = collectors.Bool(key, true);
  }
  for (const auto subject : subjects) options.switched[std::string(subject)] = on;
}

void ReadCollectors(ConfigReader reader, PostgresOptions& options) {
  for (const Subject& subject : Subjects()) {
    int* limit = nullptr;
    int most = 0;
    if (subject.name == "stat_statements") {
      limit = &options.statement_limit;
      most = kMostStatements;
    } else if (subject.name == "stat_user_tables" || subject.name == "statio_user_tables") {
      limit = &options.table_limit;
      most = kMostTables;
    } else if (subject.name == "general_index_info" || subject.name == "statio_user_indexes") {
      limit = &options.index_limit;
      most = kMostTables;
    }
    ReadSwitch(reader, subject.name, {subject.name}, limit, most, options);
  }
  ReadSwitch(reader, "user_tables", {"stat_user_tables", "statio_user_tables"},
             &options.table_limit, kMostTables, options);
  reader.Finish();
}

void ReadLog(ConfigReader& reader, PostgresOptions& options) {
  const ConfigNode node = reader.Node("log");
  std::string path = "auto";
  if (node.kind() == ConfigNode::Kind::kMap) {
    ConfigReader log = reader.Map("log");
    path = log.String("path", "auto");
    if (path != "auto" && path != "off" && !path.starts_with('/')) {
      log.Fail("path", "must be auto, off, or an absolute path");
    }
    log.Finish();
  } else if (!node.IsNull()) {
    path = reader.Bool("log", true) ? "auto" : "off";
  }
  options.log.enabled = path != "off";
  options.log.path = path == "auto" || path == "off" ? std::string() : path;
}

}  // namespace

DatabaseFilter::DatabaseFilter() = default;

Result<DatabaseFilter> DatabaseFilter::Make(const std::vector<std::string>& include,
                                            const std::vector<std::string>& exclude) {
  DatabaseFilter filter;
  for (const auto* patterns : {&include, &exclude}) {
    for (const std::string& pattern : *patterns) {
      auto compiled = std::make_shared<const re2::RE2>(pattern, re2::RE2::Quiet);
      if (!compiled->ok()) {
        return Error{ErrorCode::kInvalidArgument,
                     "\"" + pattern + "\" is not a regular expression: " + compiled->error()};
      }
      (patterns == &include ? filter.include_ : filter.exclude_).push_back(std::move(compiled));
    }
  }
  return filter;
}

// An expression matches no bytes that are not UTF-8, not even ".*".
bool DatabaseFilter::Allows(std::string_view database) const {
  const std::string text = ValidUtf8(database);
  const auto matches = [&](const auto& pattern) { return re2::RE2::FullMatch(text, *pattern); };
  if (!include_.empty() && std::none_of(include_.begin(), include_.end(), matches)) return false;
  return std::none_of(exclude_.begin(), exclude_.end(), matches);
}

Result<ParsedDsn> ParseDsn(const std::string& dsn) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(
      PQconninfoParse(dsn.c_str(), &message), PQconninfoFree);
  PQfreemem(message);  // Quotes the string: not for others to read.
  if (!parsed) {
    return Error{ErrorCode::kInvalidArgument,
                 "not a connection string of libpq: \"key=value …\" (a value with blanks in single "
                 "quotes) or postgresql://user@host:port/database"};
  }
  ParsedDsn result;
  std::string hosts = Environment("PGHOST");
  std::string hostaddrs = Environment("PGHOSTADDR");
  std::string ports = Environment("PGPORT");
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || *option->val == '\0') continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") {
      hosts = option->val;
      hostaddrs.clear();
    } else if (keyword == "hostaddr") {
      hostaddrs = option->val;
    } else if (keyword == "port") {
      ports = option->val;
    } else if (keyword == "password") {
      result.password = Secret(option->val);
    } else if (keyword == "service") {
      return Error{ErrorCode::kInvalidArgument,
                   "service files are not read: write the service's keywords here"};
    } else if (std::find(std::begin(kOwnKeywords), std::end(kOwnKeywords), keyword) !=
               std::end(kOwnKeywords)) {
      continue;
    } else {
      result.connection.emplace_back(option->keyword, option->val);
    }
  }
  TOCSIN_ASSIGN_OR_RETURN(result.servers, ServersOf(hosts, hostaddrs, ports));
  return result;
}

std::string InstanceOf(const std::vector<ServerAddress>& servers) {
  std::string instance;
  for (const ServerAddress& server : servers) {
    if (!instance.empty()) instance += ',';
    const std::string& host = server.host.empty() ? server.hostaddr : server.host;
    instance += HostText(host) + ':' + server.port;
  }
  return instance;
}

bool PostgresOptions::IsOn(std::string_view subject, bool by_default) const {
  const auto found = switched.find(subject);
  return found == switched.end() ? by_default : found->second;
}

void PostgresOptions::SetDatabase(const std::string& name) {
  std::erase_if(connection, [](const auto& keyword) { return keyword.first == "dbname"; });
  connection.emplace_back("dbname", name);
}

PostgresOptions ParsePostgresOptions(ConfigReader& reader, FileSystem& files) {
  PostgresOptions options;
  options.database_limit = kDefaultDatabaseLimit;
  options.statement_limit = kDefaultStatementLimit;
  options.table_limit = kDefaultTableLimit;
  options.index_limit = kDefaultIndexLimit;
  options.statement_text_length = kDefaultTextLength;

  auto dsn = ParseDsn(reader.String("dsn"));
  if (dsn.ok()) {
    options.connection = std::move(dsn->connection);
    options.password = std::move(dsn->password);
    options.servers = std::move(dsn->servers);
    options.instance = InstanceOf(options.servers);
  } else {
    reader.Fail("dsn", dsn.error().message);
  }
  Secret password = reader.SecretValue("password", files);
  if (!password.empty()) options.password = std::move(password);

  ReadDatabases(reader.Map("databases"), options);
  ReadCollectors(reader.Map("collectors"), options);
  constexpr Names kNames[] = {Names::k020, Names::k015, Names::k011, Names::kAll};
  options.names = kNames[reader.Choice("names", {"0.20", "0.15", "0.11", "all"}, 0)];
  ReadLog(reader, options);
  options.queries = ReadCustomQueries(reader, options.names == Names::k011 ? "server" : "");
  return options;
}

}  // namespace tocsin::collectors::postgres
