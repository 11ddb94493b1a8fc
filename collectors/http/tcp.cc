#include "collectors/http/tcp.h"

#include <memory>
#include <string_view>
#include <vector>

#include "collectors/http/tcp_conversation.h"
#include "daemon/base/deadline.h"
#include "daemon/base/mutex.h"

namespace tocsin::collectors::http {
namespace {

using model::MetricBatch;
using model::MetricType;

class TcpCollector : public Collector {
 public:
  explicit TcpCollector(std::shared_ptr<const TcpConfig> config) : config_(std::move(config)) {}

  // Errors: kCancelled only; any other end of the probe is an answer.
  Result<> Collect(const CollectContext& context, MetricBatch& batch) override {
    TOCSIN_ASSIGN_OR_RETURN(const Conversation end, Probe(context));
    Write(end, batch);
    history_.Write(batch);
    if (end.verdict.failure) batch.AddNote("the probe failed: " + end.explanation);
    return Ok{};
  }

 private:
  // The attempts share the time there is.
  Result<Conversation> Probe(const CollectContext& context) {
    const Deadline whole(context.clock, context.deadline, context.stop);
    for (int left = config_->retries;; --left) {
      const SteadyTime now = context.clock.SteadyNow();
      const Deadline attempt = whole.NoLaterThan(now + (context.deadline - now) / (left + 1));
      TOCSIN_ASSIGN_OR_RETURN(Conversation end, Converse(*config_, attempt));
      const bool answered = !end.verdict.failure || end.verdict.failure == FailureReason::kBody;
      history_.Count(end.path.duration_seconds, answered, end.verdict);
      if (!end.verdict.failure || left == 0) return end;
      if (context.clock.SteadyNow() + kRetryDelay >= context.deadline) return end;
      TOCSIN_RETURN_IF_ERROR(Pause(context, whole));
    }
  }

  // Waits kRetryDelay, or until the daemon stops.
  static Result<> Pause(const CollectContext& context, const Deadline& deadline) {
    Mutex mutex;
    ConditionVariable never;
    MutexLock lock(mutex);
    never.wait_until(mutex, context.stop, context.clock.SteadyNow() + kRetryDelay,
                     [] { return false; });
    return deadline.Check("waiting for the next attempt");
  }

  void Write(const Conversation& end, MetricBatch& batch) const {
    WriteProbe(end.path, end.verdict, batch);
    batch.AddGauge("probe_failed_due_to_bytes", "1 if other bytes than expected failed the probe.",
                   end.failed_by_bytes ? 1 : 0);
    WriteTls(end.tls, batch);
    if (end.labels.empty()) return;
    constexpr std::string_view kExpectInfo = "probe_expect_info";
    const auto family =
        batch.DeclareFamily(kExpectInfo, "What the peer's answer held.", MetricType::kGauge);
    const std::vector<model::LabelView> labels(end.labels.begin(), end.labels.end());
    batch.AddSample(family, kExpectInfo, labels, 1);
  }

  std::shared_ptr<const TcpConfig> config_;
  ProbeHistory history_;
};

}  // namespace

ParsedTarget ParseTcpTarget(ConfigReader& reader, FileSystem& files) {
  auto config = std::make_shared<const TcpConfig>(ParseTcpConfig(reader, files));
  ParsedTarget target;
  target.instance = config->Instance();
  target.address = (!config->unix_path.empty() ? "unix://"
                    : config->tls_at_once      ? "tls://"
                                               : "tcp://") +
                   config->Instance();
  target.make = [config](const CollectorEnvironment&) -> AnyCollector {
    return std::make_unique<TcpCollector>(config);
  };
  return target;
}

}  // namespace tocsin::collectors::http
