#include "collectors/redis/redis.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/redis/address.h"
#include "collectors/redis/commands.h"
#include "collectors/redis/connection.h"
#include "collectors/redis/info.h"
#include "collectors/redis/key_audit.h"
#include "collectors/redis/sentinel.h"

namespace tocsin::collectors::redis {
namespace {

using model::MetricBatch;
using model::MetricType;

class RedisCollector : public Collector {
 public:
  RedisCollector(RedisAddress address, std::vector<KeyPolicy> policies, FileSystem& files)
      : address_(std::move(address)), files_(files), key_audit_(std::move(policies)) {}

  Result<> Collect(const CollectContext& context, MetricBatch& batch) override {
    const SteadyTime started = context.clock.SteadyNow();
    ++collections_;
    Result<> collected = CollectAll(context, batch);
    const double seconds = ToSeconds(context.clock.SteadyNow() - started);
    collections_seconds_ += seconds;
    if (collected.ok()) WriteOfOurselves(seconds, batch);
    return collected;
  }

 private:
  Result<> CollectAll(const CollectContext& context, MetricBatch& batch) {
    Deadline deadline(context.clock, context.deadline, context.stop);
    TOCSIN_ASSIGN_OR_RETURN(std::vector<Reply> replies, Ask(deadline));
    auto success = batch.DeclareFamily("tocsin_redis_collector_success",
                                       "1 if the part of the collection succeeded",
                                       MetricType::kGauge, {"collector"});
    Result<> written = WriteReplies(replies, context, deadline, success, batch);
    if (!written.ok()) {
      Disconnect();
      return written;
    }
    AuditKeys(context, deadline, success, batch);
    return {};
  }

  void Disconnect() {
    connection_.reset();
    unknown_.clear();  // Who answers next may be newer.
  }

  // The parts of the pipeline that begins with INFO, or of the one that its answer
  // asks for, without those that this server has said not to know.
  std::vector<const OptionalPart*> PartsToAsk(const Info* info) const {
    std::vector<const OptionalPart*> parts;
    for (const OptionalPart& part : OptionalParts()) {
      bool wanted = info == nullptr ? part.applies == nullptr
                                    : part.applies != nullptr && part.applies(*info);
      if (wanted && !unknown_.contains(part.name)) parts.push_back(&part);
    }
    return parts;
  }

  static void AddCommands(const std::vector<const OptionalPart*>& parts, const Info& info,
                          std::vector<Command>& commands) {
    for (const OptionalPart* part : parts) {
      for (Command& command : part->commands(info)) commands.push_back(std::move(command));
    }
  }

  // INFO and all optional commands in one round trip. A kept connection that
  // turns out to be dead before it answered is replaced once.
  Result<std::vector<Reply>> Ask(const Deadline& deadline) {
    if (connection_ != nullptr && connection_->LostWhileIdle()) Disconnect();
    for (bool kept = connection_ != nullptr;; kept = false) {
      TOCSIN_RETURN_IF_ERROR(Connect(deadline));
      std::vector<Command> commands{{"INFO", "ALL"}};
      AddCommands(PartsToAsk(nullptr), Info(""), commands);
      auto replies = connection_->Run(commands, deadline);
      if (replies.ok()) return replies;
      Disconnect();
      if (!kept || replies.error().code != ErrorCode::kUnavailable) return replies.error();
    }
  }

  Result<> Connect(const Deadline& deadline) {
    if (connection_ != nullptr) return {};
    address_.password.Renew(files_);
    const SteadyTime started = deadline.clock().SteadyNow();
    TOCSIN_ASSIGN_OR_RETURN(connection_, Connection::Open(address_, deadline));
    connect_seconds_ = ToSeconds(deadline.clock().SteadyNow() - started);
    return {};
  }

  // Errors: INFO's, and those that lose the connection.
  Result<> WriteReplies(const std::vector<Reply>& replies, const CollectContext& context,
                        const Deadline& deadline, MetricBatch::FamilyId success,
                        MetricBatch& batch) {
    const Reply& answer = replies[0];
    if (answer.IsError()) return Error{ErrorCodeOf(answer), "INFO: " + answer.text};
    if (!answer.IsText()) return Error{ErrorCode::kCorruption, "INFO answered no text"};
    const Info info(answer.text);
    if (info.fields().empty()) return Error{ErrorCode::kCorruption, "INFO holds no field"};

    Findings findings;
    WriteParts(PartsToAsk(nullptr), std::span(replies).subspan(1), info, findings, success, batch);
    const bool clustered = info.Get("cluster_enabled") == "1";
    int databases = clustered ? 1 : findings.databases > 0 ? findings.databases : kDefaultDatabases;
    std::int64_t left_out = WriteInfo(info, databases, context.at, batch);
    batch.Add(success, {"info"}, 1);
    batch.AddGauge("tocsin_redis_left_out_names",
                   "Commands, errors and databases beyond a limit, which are in no series",
                   static_cast<double>(left_out));

    std::vector<Command> commands;
    const auto parts = PartsToAsk(&info);
    AddCommands(parts, info, commands);
    if (!commands.empty()) {
      TOCSIN_ASSIGN_OR_RETURN(auto more, connection_->Run(commands, deadline));
      WriteParts(parts, more, info, findings, success, batch);
    }
    if (IsSentinel(info)) return {};  // It has but its own commands, which is no lack.
    for (const auto& [part, words] : unknown_) batch.AddNote(fmt::format("{}: {}", part, words));
    return {};
  }

  static bool IsAnswer(const OptionalPart& part, const Reply& error) {
    return !part.answering_error.empty() && error.ErrorWord() == part.answering_error;
  }

  void WriteParts(const std::vector<const OptionalPart*>& parts, std::span<const Reply> replies,
                  const Info& info, Findings& findings, MetricBatch::FamilyId success,
                  MetricBatch& batch) {
    for (const OptionalPart* part : parts) {
      std::size_t count = part->commands(info).size();
      batch.BeginPart(part->name);
      WritePart(*part, replies.first(count), info, findings, success, batch);
      batch.EndPart();
      replies = replies.subspan(count);
    }
  }

  void WritePart(const OptionalPart& part, std::span<const Reply> replies, const Info& info,
                 Findings& findings, MetricBatch::FamilyId success, MetricBatch& batch) {
    for (const Reply& reply : replies) {
      if (!reply.IsError() || IsAnswer(part, reply)) continue;
      // A version without the command is not a failure, and is not asked again: it
      // would count an error each time. A refusal may be mended.
      if (reply.ErrorWord() == "ERR" && reply.text.find("nknown") != std::string::npos) {
        unknown_.emplace(part.name, reply.text);
        return;
      }
      batch.AddNote(ErrorCodeOf(reply) == ErrorCode::kPermissionDenied
                        ? fmt::format("{}: {}; allow it with ACL SETUSER … {}", part.name,
                                      reply.text, part.how_to_allow)
                        : fmt::format("{}: {}", part.name, reply.text));
      batch.Add(success, {part.name}, 0);
      batch.FailPart(reply.text);
      return;
    }
    auto written = part.write(replies, info, findings, batch);
    if (!written.ok()) {
      batch.AddNote(fmt::format("{}: {}", part.name, written.error().message));
      batch.FailPart(written.error().message);
    }
    batch.Add(success, {part.name}, written.ok() ? 1 : 0);
  }

  // What the exporter says of itself.
  void WriteOfOurselves(double seconds, MetricBatch& batch) const {
    batch.AddCounter("redis_exporter_scrapes_total", "Collections begun, failed ones too",
                     static_cast<double>(collections_));
    batch.AddGauge("redis_exporter_last_scrape_duration_seconds", "How long this collection took",
                   seconds);
    batch.AddGauge("redis_exporter_last_scrape_connect_time_seconds",
                   "How long it took to connect and log in when that was last needed",
                   connect_seconds_);
    auto error = batch.DeclareFamily("redis_exporter_last_scrape_error",
                                     "0: a collection that failed has no series",
                                     MetricType::kGauge, {"err"});
    batch.Add(error, {""}, 0);
    auto duration = batch.DeclareFamily("redis_exporter_scrape_duration_seconds",
                                        "How long collections took", MetricType::kSummary);
    batch.AddSample(duration, "redis_exporter_scrape_duration_seconds_sum", {},
                    collections_seconds_);
    batch.AddSample(duration, "redis_exporter_scrape_duration_seconds_count", {},
                    static_cast<double>(collections_));
  }

  // The rest of the collection stands whatever becomes of the audit.
  void AuditKeys(const CollectContext& context, const Deadline& deadline,
                 MetricBatch::FamilyId success, MetricBatch& batch) {
    if (!key_audit_.enabled()) return;
    KeyAudit::Outcome outcome = key_audit_.Step(*connection_, context.at, deadline);
    if (outcome.connection_lost) Disconnect();
    if (outcome.error.has_value()) batch.AddNote("key_policies: " + outcome.error->message);
    batch.Add(success, {"key_policies"}, outcome.error.has_value() ? 0 : 1);
    batch.BeginPart("key_policies");
    if (outcome.error.has_value()) batch.FailPart(outcome.error->message);
    key_audit_.Write(batch);
    batch.EndPart();
  }

  RedisAddress address_;
  FileSystem& files_;
  KeyAudit key_audit_;
  std::unique_ptr<Connection> connection_;  // Null between a failure and the next collection.
  // Parts whose commands this server does not have, and its words. Kept with the connection.
  std::map<std::string_view, std::string> unknown_;
  std::int64_t collections_ = 0;
  double collections_seconds_ = 0;
  double connect_seconds_ = 0;
};

TlsOptions ParseTls(ConfigReader& reader) {
  TlsOptions tls;
  tls.ca_file = reader.Path("ca_file");
  tls.cert_file = reader.Path("cert_file");
  tls.key_file = reader.Path("key_file");
  tls.server_name = reader.String("server_name");
  tls.insecure_skip_verify = reader.Bool("insecure_skip_verify", false);
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    reader.Fail(tls.cert_file.empty() ? "key_file" : "cert_file",
                "cert_file and key_file go together");
  }
  reader.Finish();
  return tls;
}

std::vector<KeyPolicy> ParseKeyPolicies(ConfigReader& reader) {
  std::vector<KeyPolicy> policies;
  for (ConfigReader& entry : reader.Maps("key_policies")) {
    KeyPolicy policy;
    policy.prefix = entry.RequiredString("prefix");
    policy.max_ttl = entry.Duration("max_ttl", Millis(0), Millis(1));
    if (!entry.Has("max_ttl")) entry.Fail("max_ttl", "missing (a duration such as 5m)");
    entry.Finish();
    for (const KeyPolicy& other : policies) {
      if (other.prefix == policy.prefix) entry.Fail("prefix", "the prefix has a policy already");
    }
    policies.push_back(std::move(policy));
  }
  if (policies.size() > kMaxKeyPolicies) {
    reader.Fail("key_policies", fmt::format("more than {} policies", kMaxKeyPolicies));
  }
  return policies;
}

// How to mend a refusal of Redis'; empty if something else is wrong.
std::string RemedyFor(const RedisAddress& address, const Error& error) {
  const auto says = [&](std::string_view words) {
    return error.message.find(words) != std::string::npos;
  };
  const std::string cli = !address.unix_path.empty()
                              ? fmt::format("redis-cli -s {}", address.unix_path)
                              : fmt::format("redis-cli -h {} -p {}{}", address.host, address.port,
                                            address.use_tls ? " --tls" : "");
  const auto rights = error.message.find("ACL SETUSER … ");
  if (rights != std::string::npos) {
    return fmt::format("{} ACL SETUSER {} {}", cli, address.user.empty() ? "default" : address.user,
                       error.message.substr(rights + std::string_view("ACL SETUSER … ").size()));
  }
  if (error.code == ErrorCode::kPermissionDenied || says("NOAUTH") || says("NOPERM")) {
    return fmt::format(
        "sudo tocsin setup redis --role tocsin --password-file /etc/tocsin/redis.password --url {} "
        "--administrator-password-file FILE --apply, and user: tocsin with "
        "password_file: /etc/tocsin/redis.password beside the url",
        address.unix_path.empty()
            ? fmt::format("{}://{}", address.use_tls ? "rediss" : "redis", address.Instance())
            : "unix://" + address.unix_path);
  }
  return {};
}

}  // namespace

ParsedTarget ParseRedisTarget(ConfigReader& reader, FileSystem& files) {
  std::string url = reader.RequiredString("url");
  std::string user = reader.String("user");
  Secret password = reader.SecretValue("password", files);
  RedisAddress address;
  bool parsed = false;
  if (!url.empty()) {
    auto result = ParseRedisUrl(url);
    parsed = result.ok();
    if (parsed) {
      address = std::move(*result);
    } else {
      reader.Fail("url", result.error().message);
    }
  }
  if (!user.empty()) address.user = std::move(user);
  if (!password.empty()) address.password = std::move(password);
  if (!address.user.empty() && address.password.empty()) {
    reader.Fail("user", "needs password or password_file");
  }
  if (reader.Has("tls")) {
    ConfigReader tls = reader.Map("tls");
    address.tls = ParseTls(tls);
    if (parsed && !address.use_tls) reader.Fail("tls", "needs a url that begins with rediss://");
  }
  std::vector<KeyPolicy> policies = ParseKeyPolicies(reader);

  ParsedTarget target;
  target.instance = address.Instance();
  target.address = fmt::format(
      "{}{}{}",
      !address.unix_path.empty() ? "unix://"
      : address.use_tls          ? "rediss://"
                                 : "redis://",
      target.instance, address.database == 0 ? "" : fmt::format(" database {}", address.database));
  target.examine = [address, policies](const CollectorEnvironment& environment,
                                       const CollectContext& context) {
    RedisCollector collector(address, policies, environment.files);
    return ExamineByCollecting(collector, context,
                               [&](const Error& error) { return RemedyFor(address, error); });
  };
  target.make = [address, policies](const CollectorEnvironment& environment) -> AnyCollector {
    return std::make_unique<RedisCollector>(address, policies, environment.files);
  };
  return target;
}

}  // namespace tocsin::collectors::redis
