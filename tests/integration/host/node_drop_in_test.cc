// Beside Debian's own node_exporter on the same machine: in the families of cpu, memory,
// load, disk, filesystem, network and pressure nothing that it shows is missing, types
// and labels are the same, and so are the numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "collectors/host/host.h"
#include "tests/support/collector_probe.h"
#include "tests/support/exporter_comparison.h"

namespace tocsin::testing {
namespace {

constexpr std::string_view kFamilies[] = {"node_cpu_",     "node_memory_",     "node_load",
                                          "node_disk_",    "node_filesystem_", "node_network_",
                                          "node_pressure_"};

// Free memory and the like go up and down all the time: a number must lie between the
// exporter's in one of these rounds, all else is the same in each.
constexpr int kRounds = 20;

// What a complaint is about, without the numbers.
std::string Subject(const std::string& complaint) {
  return complaint.substr(0, complaint.find(", the exporter's ") == std::string::npos
                                 ? complaint.size()
                                 : complaint.find(" is "));
}

TEST(NodeDropInTest, FamilyByFamilyWeShowWhatTheExporterShows) {
  auto exporter = PackagedExporter::Start("prometheus-node-exporter", {});
  ASSERT_TRUE(exporter.ok()) << exporter.error().message;
  CollectorProbe host(collectors::host::ParseHostTarget, "{}");
  ASSERT_TRUE(host.Collect().ok());
  (*exporter)->Scrape();
  std::map<std::string, std::string> wrong;  // In every round: the last one's words.
  for (int round = 0; round < kRounds && (round == 0 || !wrong.empty()); ++round) {
    const ExporterPage before = (*exporter)->Scrape();
    ASSERT_TRUE(host.Collect().ok());
    const ExporterPage ours = PageOf(host.batch());
    const ExporterPage after = (*exporter)->Scrape();
    std::map<std::string, std::string> now;
    for (const std::string_view prefix : kFamilies) {
      EXPECT_TRUE(std::any_of(before.types.begin(), before.types.end(), [&](const auto& one) {
        return one.first.starts_with(prefix);
      })) << prefix;
      for (const std::string& complaint : CompareWithExporter({before, ours, after}, prefix, {})) {
        now.emplace(Subject(complaint), complaint);
      }
    }
    if (round > 0) std::erase_if(now, [&](const auto& one) { return !wrong.contains(one.first); });
    wrong = std::move(now);
  }
  for (const auto& [subject, complaint] : wrong) ADD_FAILURE() << complaint;
}

}  // namespace
}  // namespace tocsin::testing
