#include "tests/sim/daemon/host.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/base/text.h"

namespace tocsin::testing {
namespace {

std::string ProbeUrl(const std::string& name) { return "http://" + name + "/health"; }

const Condition kPoolCritical{"Pool", "critical", "app:80", seconds(10)};
const Condition kPoolWarning{"Pool", "warning", "app:80", seconds(15)};
const Condition kQueue{"Queue", "critical", "app:80", seconds(10), seconds(20)};

Condition ProbeDown(const std::string& target) {
  return {"ProbeDown", "critical", ProbeUrl(target), seconds(10)};
}

}  // namespace

Host::Host(ScriptedHttpClient& network, const SimClock& clock, std::function<bool()> dead)
    : network_(network), clock_(clock), dead_(std::move(dead)) {
  targets_["a"] = {ProbeUrl("a"), ProbeUrl("a")};
  targets_["b"] = {ProbeUrl("b"), ProbeUrl("b")};
  targets_["app"] = {"http://app/metrics", "app:80"};
  for (const auto& [name, target] : targets_) {
    network_.Answer(target.url, [this, name = name](const HttpRequest&) { return Answer(name); });
  }
  for (const auto& condition :
       {ProbeDown("a"), ProbeDown("b"), kPoolCritical, kPoolWarning, kQueue}) {
    courses_.emplace_back(condition);
  }
}

const std::vector<std::string>& Host::TargetNames() {
  static const std::vector<std::string> kNames = {"a", "b", "app"};
  return kNames;
}

void Host::AllWell() {
  for (auto& [name, target] : targets_) target.mood = Mood::kWell;
  pool_ = 50;
  queue_stuck_ = false;
}

ScriptedAnswer Host::Answer(const std::string& target) const {
  if (dead_()) return ScriptedAnswer::Refused();
  switch (targets_.at(target).mood) {
    case Mood::kFails: return ScriptedAnswer::Status(500);
    case Mood::kHangs: return ScriptedAnswer::Hang();
    case Mood::kWell: break;
  }
  if (target != "app") return ScriptedAnswer::Status(200, "ok");
  ScriptedAnswer page =
      ScriptedAnswer::Status(200, "pool_used " + std::to_string(pool_) + "\nqueue_stuck " +
                                      (queue_stuck_ ? "1\n" : "0\n"));
  page.headers.emplace_back("Content-Type", "text/plain; version=0.0.4");
  return page;
}

std::map<std::string, Seen> Host::Look(const std::string& target) const {
  const bool well = targets_.at(target).mood == Mood::kWell;
  if (target != "app") return {{ProbeDown(target).Key(), well ? Seen::kOver : Seen::kHolds}};
  const auto seen = [well](bool holds, bool over) {
    if (!well) return Seen::kSilent;
    return holds ? Seen::kHolds : over ? Seen::kOver : Seen::kBetween;
  };
  return {{kPoolCritical.Key(), seen(pool_ > 90, pool_ < 80)},
          {kPoolWarning.Key(), seen(pool_ > 70, pool_ <= 70)},
          {kQueue.Key(), seen(queue_stuck_, !queue_stuck_)}};
}

HttpClient::RequestId Host::Start(HttpRequest request, SteadyTime deadline, Done done) {
  const auto target = std::find_if(targets_.begin(), targets_.end(), [&](const auto& entry) {
    return entry.second.url == request.url;
  });
  if (target == targets_.end() || dead_()) {
    return network_.Start(std::move(request), deadline, std::move(done));
  }
  const std::uint64_t collection = next_collection_++;
  const WallTime now = clock_.WallNow();
  target->second.last_begin = now;
  under_way_[collection] = {target->first, now, {}, Look(target->first)};
  return network_.Start(std::move(request), deadline,
                        [this, collection, done = std::move(done)](HttpExchange exchange) {
                          Ended(collection);
                          done(std::move(exchange));
                        });
}

void Host::Ended(std::uint64_t collection) {
  auto node = under_way_.extract(collection);
  if (node.empty()) return;
  node.mapped().to = clock_.WallNow();
  EXPECT_LE(node.mapped().to - node.mapped().from, kTimeout + kSlack)
      << "a collection of " << node.mapped().target << " outlived its deadline";
  answered_.push_back(std::move(node.mapped()));
}

void Host::Record(const Answered& answered, bool sure) {
  for (const auto& [key, seen] : answered.seen) {
    FindCourse(key)->Add({answered.from, answered.to, seen, sure});
  }
  if (sure) targets_.at(answered.target).collected.push_back(answered.from);
}

void Host::Advance() {
  const WallTime judged = clock_.WallNow() - kCertainAfter;
  const auto end = std::find_if(answered_.begin(), answered_.end(),
                                [judged](const Answered& each) { return each.to > judged; });
  for (auto it = answered_.begin(); it != end; ++it) Record(*it, /*sure=*/true);
  answered_.erase(answered_.begin(), end);
}

void Host::DaemonDied(bool power_lost) {
  Advance();
  for (const Answered& answered : answered_) Record(answered, /*sure=*/false);
  answered_.clear();
  under_way_.clear();
  for (Course& course : courses_) course.DaemonDied(clock_.WallNow(), power_lost);
  if (!power_lost) return;
  for (auto& [name, target] : targets_) {
    auto& collected = target.collected;
    collected.erase(std::lower_bound(collected.begin(), collected.end(),
                                     clock_.WallNow() - Course::kLostWithPower),
                    collected.end());
  }
}

void Host::CheckCollections(WallTime alive_since) const {
  const WallTime now = clock_.WallNow();
  for (const auto& [id, collection] : under_way_) {
    EXPECT_LE(now - collection.from, kTimeout + kSlack)
        << "a collection of " << collection.target << " outlives its deadline";
  }
  for (const auto& [name, target] : targets_) {
    EXPECT_LE(now - std::max(target.last_begin, alive_since), kInterval + kSlack)
        << name << " is not collected at " << FormatTime(now);
  }
}

Course* Host::FindCourse(const std::string& key) {
  const auto found = std::find_if(courses_.begin(), courses_.end(), [&](const Course& course) {
    return course.condition().Key() == key;
  });
  return found == courses_.end() ? nullptr : &*found;
}

std::map<std::string, WallTime> Host::LastCollections() const {
  std::map<std::string, WallTime> last;
  for (const auto& [name, target] : targets_) {
    if (!target.collected.empty()) last[target.instance] = target.collected.back();
  }
  return last;
}

}  // namespace tocsin::testing
