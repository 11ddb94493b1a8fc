#pragma once

// The whole daemon in virtual time: a scripted host, receivers that keep books, a disk
// that loses what was not synced. Whatever the daemon does, CheckStep() holds it to the
// invariants of the design. Not thread-safe.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/app/daemon.h"
#include "tests/sim/daemon/books.h"
#include "tests/sim/daemon/host.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/sim_executor.h"

namespace tocsin::testing {

class SimWorld {
 public:
  struct Options {
    Millis longest_down_time = seconds(30);
    bool dies_while_starting = false;  // Now and then, after another death.
  };
  // `seed` decides what is left to chance: how receivers are sick, how long a machine is
  // down. Nothing runs before Boot().
  SimWorld(std::uint64_t seed, const Options& options);
  ~SimWorld();

  Host& host() { return host_; }
  const Books& books() const { return books_; }
  int deaths() const { return deaths_; }
  std::uint64_t Random(std::uint64_t below) { return random_() % below; }

  void Boot();
  // Whenever the disk has died, so has the daemon: it is started again.
  void Run(Millis span);
  // The process or the machine dies right before its `operation`-th durable operation
  // from now, from 1.
  void PlanDeath(FaultDisk::Fault how, std::int64_t operation, UnsyncedBytes unsynced);
  // Dies now.
  void Die(FaultDisk::Fault how, UnsyncedBytes unsynced);

  void SetSick(const std::string& receiver, bool sick);
  void AllReceiversWell();
  // Mutes the alerts of a name for a while.
  void Silence(const std::string& alert, Millis span);
  void ExpireSilences();

  // The rules' texts change, which is no reason to lose an alert's state.
  void ReloadGood();
  // Rules or templates that are wrong: nothing changes, and it is said what is wrong.
  void ReloadBad();

  // Invariants: what was told is true and in order, collections end in time, secrets are
  // nowhere; in calm moments everybody has been told of everything.
  void CheckStep();
  // Nothing is open anywhere and nothing waits.
  void CheckAllOver();

 private:
  struct Quiet {
    std::string alert;
    WallTime from{};
    WallTime until{};
    bool sure = false;  // The call returned: it must be in force.
  };

  bool TryToBoot();
  void Reboot();
  Result<config::Config> Load();
  void WriteRules(const std::string& expression);
  void WriteAlerting(const std::string& title);
  ScriptedAnswer Receive(const std::string& receiver, const HttpRequest& request);
  ScriptedAnswer Sickness();

  void CheckHistory();
  void CheckTold();
  void CheckSecrets();
  bool Calm() const;
  void CheckOutagesTold();
  void CheckOpen(const Course& course);
  std::string DoubtOfNoise(const Course& course, const Told& told);
  bool Silenced(const std::string& alert, WallTime from, WallTime to) const;
  bool Inhibited(const Condition& condition, WallTime from, WallTime to) const;
  static bool Mutes(const Condition& source, const Condition& target);
  static std::vector<std::string> ReceiversOf(const Condition& condition);

  // A sender may not know of what was answered in the last moment of its life.
  static constexpr Millis kLastMoment = seconds(1);
  static constexpr const char* kSecrets[] = {"SECRETWEBHOOK", "SECRETTOKEN",
                                             "5ec2e7ab0123456789abcdef01234567"};

  const Options options_;
  std::mt19937_64 random_;
  SimClock clock_;
  SimExecutors executors_{clock_};
  ScriptedHttpClient network_{clock_, executors_};
  FaultDisk disk_;
  FaultVfs vfs_;
  FaultFileSystem files_{disk_, clock_};
  FaultDisk etc_disk_;  // The configuration's: it outlives all.
  FaultFileSystem etc_{etc_disk_, clock_};
  Host host_;
  Books books_;
  int edition_ = 1;  // Of the rules' texts.

  std::set<std::string> sick_;
  WallTime sick_since_{};
  WallTime well_since_{};
  Millis last_sickness_{0};
  WallTime booted_at_{};
  int deaths_ = 0;
  FaultDisk::Fault planned_ = FaultDisk::Fault::kNone;
  std::vector<Quiet> silences_;
  std::map<std::string, std::size_t> judged_;  // The webhook's messages, by key.
  std::unique_ptr<app::Daemon> daemon_;
};

}  // namespace tocsin::testing
