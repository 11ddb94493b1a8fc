#include "tests/sim/daemon/sim_world.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "daemon/base/text.h"

namespace tocsin::testing {
namespace {

constexpr const char* kConfig = R"(
interval: 5s
timeout: 2s
storage: { path: /data }
http:
  - { name: a, url: "http://a/health" }
  - { name: b, url: "http://b/health" }
prometheus:
  - { name: app, url: "http://app/metrics" }
rules: [ /rules.yaml ]
alerting: /alertmanager.yml
)";

// {0} is the first expression, {1} an edition.
constexpr const char* kRules = R"(
groups:
  - name: probes
    rules:
      - alert: ProbeDown
        expr: {0}
        for: 10s
        labels: {{ severity: critical }}
        annotations: {{ summary: 'down, edition {1}' }}
  - name: app
    rules:
      - alert: Pool
        expr: pool_used > 90
        for: 10s
        labels: {{ severity: critical }}
        annotations: {{ tocsin_resolve_when: 'pool_used < 80', summary: 'edition {1}' }}
      - alert: Pool
        expr: pool_used > 70
        for: 15s
        labels: {{ severity: warning }}
      - alert: Queue
        expr: queue_stuck == 1
        for: 10s
        keep_firing_for: 20s
        labels: {{ severity: critical }}
)";
constexpr const char* kGoodExpression = "probe_success == 0";

// {0} stands for the title of Slack's messages.
constexpr const char* kAlerting = R"(
route:
  receiver: chat
  group_by: [alertname, instance]
  group_wait: 10s
  group_interval: 10s
  repeat_interval: 4h
  routes:
    - {{ receiver: on-call, matchers: [ 'severity="critical"' ], group_wait: 0s }}
receivers:
  - name: chat
    slack_configs: [ &slack {{ api_url: 'http://slack/hook/SECRETWEBHOOK', send_resolved: true, title: '{0}' }} ]
    webhook_configs: [ &webhook {{ url: 'http://webhook/SECRETTOKEN' }} ]
  - name: on-call
    slack_configs: [ *slack ]
    webhook_configs: [ *webhook ]
    pagerduty_configs:
      - url: http://pagerduty/v2/enqueue
        routing_key: 5ec2e7ab0123456789abcdef01234567
        class: '{{{{ .CommonLabels.alertname }}}} {{{{ .CommonLabels.severity }}}} {{{{ .CommonLabels.instance }}}}'
inhibit_rules:
  - {{ source_matchers: [ 'severity="critical"' ], target_matchers: [ 'severity="warning"' ], equal: [ alertname, instance ] }}
)";
constexpr const char* kGoodTitle =
    "{{ .CommonLabels.alertname }} {{ .CommonLabels.severity }} {{ .CommonLabels.instance }}";

}  // namespace

SimWorld::SimWorld(std::uint64_t seed, const Options& options)
    : options_(options), random_(seed), disk_(seed), vfs_(disk_), host_(network_, clock_, [this] {
        return disk_.dead();
      }) {
  TOCSIN_CHECK(etc_.WriteAtomically("/tocsin.yaml", kConfig).ok());
  WriteRules(kGoodExpression);
  WriteAlerting(kGoodTitle);
  for (const std::string& receiver : kReceivers) {
    network_.Answer("http://" + receiver + "/", [this, receiver](const HttpRequest& request) {
      return Receive(receiver, request);
    });
  }
}

SimWorld::~SimWorld() { daemon_.reset(); }

// -- The daemon's life --

bool SimWorld::TryToBoot() {
  auto config = Load();
  if (!config.ok()) {
    ADD_FAILURE() << config.error().message;
    return false;
  }
  auto opened = app::Daemon::Open({clock_, executors_, host_, files_, vfs_.name(), random_()},
                                  *std::move(config));
  auto started = opened.ok() ? Result<>() : Result<>(opened.error());
  if (opened.ok()) {
    daemon_ = *std::move(opened);
    started = daemon_->Start();
  }
  if (disk_.dead()) return false;
  EXPECT_TRUE(started.ok()) << started.error().message;
  return started.ok();
}

// A death while it starts is one more.
void SimWorld::Boot() {
  booted_at_ = clock_.WallNow();
  if (TryToBoot()) {
    CheckHistory();
  } else if (disk_.dead()) {
    Reboot();
  }
}

void SimWorld::Reboot() {
  ++deaths_;
  host_.DaemonDied(/*power_lost=*/planned_ == FaultDisk::Fault::kPowerFails);
  books_.SenderDied(clock_.WallNow() - kLastMoment);
  network_.Crash();
  executors_.Crash();
  daemon_.reset();
  executors_.Crash();
  network_.Crash();
  clock_.Advance(
      Millis(Random(static_cast<std::uint64_t>(options_.longest_down_time.count()) + 1)));
  disk_.Start();
  if (options_.dies_while_starting && Random(4) == 0) {
    PlanDeath(planned_, 1 + static_cast<std::int64_t>(Random(40)), UnsyncedBytes::kTorn);
  }
  Boot();
}

void SimWorld::PlanDeath(FaultDisk::Fault how, std::int64_t operation, UnsyncedBytes unsynced) {
  planned_ = how;
  disk_.Plan(how, operation, unsynced);
}

void SimWorld::Die(FaultDisk::Fault how, UnsyncedBytes unsynced) {
  planned_ = how;
  disk_.Die(how, unsynced);
  Reboot();
}

void SimWorld::Run(Millis span) {
  const SteadyTime until = clock_.SteadyNow() + span;
  while (!::testing::Test::HasFailure() && executors_.RunNext(until)) {
    if (disk_.dead()) Reboot();
  }
}

// -- The configuration --

void SimWorld::WriteRules(const std::string& expression) {
  TOCSIN_CHECK(etc_.WriteAtomically("/rules.yaml", fmt::format(kRules, expression, edition_)).ok());
}

void SimWorld::WriteAlerting(const std::string& title) {
  TOCSIN_CHECK(etc_.WriteAtomically("/alertmanager.yml", fmt::format(kAlerting, title)).ok());
}

Result<config::Config> SimWorld::Load() {
  ConfigErrors errors;
  auto config = config::LoadConfig({"/tocsin.yaml", "/usr/share/tocsin/rules"}, etc_, errors);
  if (!errors.empty()) return Error{ErrorCode::kInvalidArgument, errors.Text()};
  return config;
}

void SimWorld::ReloadGood() {
  ++edition_;
  WriteRules(kGoodExpression);
  auto config = Load();
  ASSERT_TRUE(config.ok()) << config.error().message;
  const auto reloaded = daemon_->Reload(*std::move(config));
  if (disk_.dead()) return Reboot();
  EXPECT_TRUE(reloaded.ok()) << reloaded.error().message;
}

void SimWorld::ReloadBad() {
  const bool rules = Random(2) == 0;
  const std::string before = daemon_->ApiContext("").config_text();
  if (rules) {
    WriteRules("probe_success ==");
  } else {
    WriteAlerting("{{ .CommonLabels.alertname");
  }
  auto config = Load();
  const auto reloaded =
      config.ok() ? daemon_->Reload(*std::move(config)) : Result<>(config.error());
  EXPECT_FALSE(reloaded.ok()) << "a bad configuration was taken over";
  if (!reloaded.ok() && !disk_.dead()) {
    EXPECT_THAT(reloaded.error().message,
                ::testing::HasSubstr(rules ? "/rules.yaml:6:" : "/alertmanager.yml:12:"));
    EXPECT_EQ(daemon_->ApiContext("").config_text(), before);
  }
  WriteRules(kGoodExpression);
  WriteAlerting(kGoodTitle);
  if (disk_.dead()) Reboot();
}

// -- Receivers and silences --

ScriptedAnswer SimWorld::Receive(const std::string& receiver, const HttpRequest& request) {
  if (disk_.dead()) return ScriptedAnswer::Refused();
  ScriptedAnswer answer = ScriptedAnswer::Status(200, "ok");
  if (sick_.contains(receiver)) answer = Sickness();
  const WallTime now = clock_.WallNow();
  for (const Quiet& quiet : silences_) {
    if (quiet.until <= now) books_.SilenceEnded(quiet.alert, quiet.until);
  }
  const bool takes = answer.received && !answer.hangs && (answer.breaks || answer.status == 200);
  if (takes) books_.Take(receiver, request, now, /*heard=*/!answer.breaks, /*waited=*/!Calm());
  return answer;
}

ScriptedAnswer SimWorld::Sickness() {
  switch (Random(6)) {
    case 0: return ScriptedAnswer::Status(500);
    case 1: return ScriptedAnswer::Status(429);
    case 2: return ScriptedAnswer::RetryAfter(429, seconds(20));
    case 3: return ScriptedAnswer::Hang();
    case 4: return ScriptedAnswer::Refused();
    default: return ScriptedAnswer::AnswerLost();
  }
}

void SimWorld::SetSick(const std::string& receiver, bool sick) {
  const WallTime now = clock_.WallNow();
  if (sick && sick_.empty()) sick_since_ = now;
  if (sick) {
    sick_.insert(receiver);
  } else if (sick_.erase(receiver) > 0 && sick_.empty()) {
    well_since_ = now;
    last_sickness_ = now - sick_since_;
  }
}

void SimWorld::AllReceiversWell() {
  for (const std::string& receiver : kReceivers) SetSick(receiver, false);
}

void SimWorld::Silence(const std::string& alert, Millis span) {
  notify::Silence silence;
  silence.matchers = {model::Matcher::Make(model::MatchOp::kEqual, "alertname", alert).value()};
  silence.starts_at = clock_.WallNow();
  silence.ends_at = silence.starts_at + span;
  silence.created_by = "script";
  const auto set = daemon_->ApiContext("").notifier.SetSilence(silence);
  EXPECT_TRUE(set.ok() || disk_.dead()) << set.error().message;
  silences_.push_back({alert, silence.starts_at, silence.ends_at, set.ok()});
  if (disk_.dead()) Reboot();
}

void SimWorld::ExpireSilences() {
  const WallTime now = clock_.WallNow();
  for (const auto& silence : daemon_->ApiContext("").notifier.Silences()) {
    if (silence.ends_at > now) {
      std::ignore = daemon_->ApiContext("").notifier.ExpireSilence(silence.id);
    }
  }
  for (Quiet& quiet : silences_) quiet.until = std::min(quiet.until, now);
  if (disk_.dead()) Reboot();
}

}  // namespace tocsin::testing
