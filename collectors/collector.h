#pragma once

// What a kind of target must do, and all that poll knows of it. Adding a kind is
// a folder with a Parse function and one row in kinds.cc.
//
// A kind that blocks (PostgreSQL, PgBouncer, Redis, host) is a Collector: it has
// a lane of its own. A kind that is one HTTP exchange (http, prometheus) is an
// HttpCollector: its request runs on the shared HTTP loop, and only its start and
// finish run on a lane.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "collectors/advice.h"
#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/base/http_client.h"
#include "daemon/base/result.h"
#include "daemon/model/labels.h"
#include "daemon/model/metric_batch.h"

namespace tocsin::collectors {

struct CollectContext {
  const Clock& clock;
  WallTime at{};          // The collection's timestamp.
  SteadyTime deadline{};  // Nothing outlives it by more than a second.
  std::stop_token stop;   // Asked to end early: the daemon stops or the target is removed.
};

// Called from one lane only, one collection at a time.
class Collector {
 public:
  virtual ~Collector() = default;

  // Fills `batch`. Keeps its connection for the next call. On an error, what is
  // in `batch` is dropped, and poll writes `up 0` and the kind's own verdict; a
  // part that fails is reported in the batch and costs only itself.
  // Errors: kUnavailable, kPermissionDenied, kDeadlineExceeded, kCancelled,
  // kCorruption (nonsense answered). The message names no credential.
  virtual Result<> Collect(const CollectContext& context, model::MetricBatch& batch) = 0;
};

// Between two attempts of one collection.
inline constexpr Millis kRetryDelay{100};

// Called from one lane only, Start and Finish in turn.
class HttpCollector {
 public:
  virtual ~HttpCollector() = default;

  // The request of the next collection.
  virtual HttpRequest Start(const CollectContext& context) = 0;

  // Asked before Finish: a request that is to be tried first, kRetryDelay after this
  // exchange, if there is time. Its end comes here again.
  virtual std::optional<HttpRequest> Again(const CollectContext& /*context*/,
                                           const HttpExchange& /*exchange*/) {
    return std::nullopt;
  }

  // Turns how it ended into samples; errors as Collector::Collect.
  virtual Result<> Finish(const CollectContext& context, HttpExchange exchange,
                          model::MetricBatch& batch) = 0;
};

using AnyCollector = std::variant<std::unique_ptr<Collector>, std::unique_ptr<HttpCollector>>;

// What a collector may use of the outside.
struct CollectorEnvironment {
  const Clock& clock;
  FileSystem& files;
  model::Labels labels = {};  // The target's: job, instance and the configured ones.
};

// One target, parsed: what poll needs, and how to make its collector.
struct ParsedTarget {
  // host:port of the thing watched, the URL for http: the label `instance`.
  // Never holds a credential.
  std::string instance;
  // What /api/v1/targets shows as the address (a URL, "host:port/dbname"); no credential.
  std::string address;
  // A row's own job, instance, … win over the target's; otherwise they are kept
  // as exported_job, exported_instance, ….
  bool honor_labels = false;
  // Called once when the target starts; the configuration is captured by value.
  std::function<AnyCollector(const CollectorEnvironment&)> make;
  // Looks what the daemon would not see of the target, and why: on connections of its
  // own, within the context's deadline. Empty: a collection tells all there is to know.
  std::function<Examination(const CollectorEnvironment&, const CollectContext&)> examine;
};

struct CollectorKind {
  std::string_view name;  // The section's name in the configuration, and the default job.
  // The kind's own verdict, written by poll as 1 or 0 ("pg_up"); empty: none, or
  // the collector writes it itself because a failure is an answer (http).
  std::string_view up_metric;
  std::string_view up_help;
  // Default deadline of one collection; cut to the interval.
  Millis default_timeout;
  // Reads the kind's own keys from a target's map. Poll has asked for the common
  // ones (name, interval, timeout, labels, job, instance) and calls Finish() after.
  ParsedTarget (*parse)(ConfigReader& reader, FileSystem& files);
  // How its rights are granted; null: it needs none.
  const KindSetup* setup = nullptr;
  // The exporter whose page the kind's stands in for ("redis_exporter"): poll writes its
  // build_info, with Tocsin's version. Empty: none, or its page has none (blackbox_exporter).
  std::string_view exporter = {};
};

}  // namespace tocsin::collectors
