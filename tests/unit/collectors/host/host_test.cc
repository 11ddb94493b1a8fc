#include "collectors/host/host.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "collectors/host/cpu_counters.h"
#include "daemon/base/text.h"
#include "tests/support/batch_reader.h"

namespace tocsin::collectors::host {
namespace {

using ::tocsin::testing::Duplicates;
using ::tocsin::testing::FamilyTypes;
using ::tocsin::testing::Value;

// A host of files in a temporary folder.
class HostTest : public ::testing::Test {
 protected:
  HostTest() {
    folder_ = ::testing::TempDir() + "tocsin_host_" + std::to_string(getpid()) + "_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    Write("proc/stat",
          "cpu  300 20 70 4000 10 0 5 2 0 0\n"
          "cpu0 100 10 30 2000 5 0 5 1 7 3\n"
          "cpu1 200 10 40 2000 5 0 0 1 0 0\n"
          "intr 12345 1 2 3\nctxt 777\nbtime 1795411534\nprocesses 99\nprocs_running 2\n"
          "procs_blocked 1\n");
    Write("proc/meminfo",
          "MemTotal:       24684096 kB\nActive(anon):     12 kB\nHugePages_Total:       4\n");
    Write("proc/loadavg", "0.96 0.47 0.27 3/402 12345\n");
    Write("proc/diskstats",
          " 254 0 vda 57525 13698 5109000 44515 253236 56937 14579608 54122 1 23304 102711 8826 15 "
          "391296 728 77136 3344\n"
          " 254 1 vda1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
          " 7 0 loop0 1 1 1 1 1 1 1 1 1 1 1\n"
          " 259 1 nvme0n1p1 1 1 1 1 1 1 1 1 1 1 1\n"
          " 259 0 nvme0n1 5 0 0 0 0 0 0 0 0 0 0\n");
    Write("proc/net/dev",
          "Inter-|   Receive                                                |  Transmit\n"
          " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
          "drop fifo colls carrier compressed\n"
          "  eth0: 119851637    2856    0    1    0     0          0         0   135973    1642    "
          "0    0    0     0       0          0\n");
    Write("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=27135377\n");
    Write("proc/pressure/io", "some avg10=0 total=12840938\nfull avg10=0 total=11066076\n");
    Write("proc/pressure/memory", "some avg10=0 total=0\nfull avg10=0 total=2000000\n");
    Write("proc/vmstat", "nr_free_pages 1\npgfault 500\noom_kill 0\n");
    Write("proc/sys/fs/file-nr", "960\t0\t9223372\n");
    Write("proc/1/mounts",
          "/dev/vda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n"
          "nas:/export /mnt/nas nfs4 rw 0 0\n/dev/vdb /gone\\040away ext4 ro 0 0\n"
          "/dev/vdc /mnt/over ext4 rw 0 0\nnas:/x /mnt/over nfs rw 0 0\n");
    Write("sys/class/net/eth0/ifindex", "4\n");
    Write("sys/class/net/eth0/flags", "0x1003\n");
    Write("sys/class/net/eth0/speed", "1000\n");
    Write("sys/class/net/eth0/operstate", "up\n");
    Write("sys/class/net/eth0/address", "02:fc:00:00:00:01\n");
    Write("sys/class/net/bonding_masters", "bond0\n");
    Write("proc/812/stat",
          "812 (postgres) S 1 812 812 0 -1 0 1 2 3 4 100 20 7 3 20 0 1 0 5555 1000 200\n");
    Write("proc/812/statm", "1000 50 30 1 0 100 0\n");
    Write("proc/813/stat", "813 (bash) S 1 813 813 0 -1 0 1 2 3 4 9 9 9 9 20 0 1 0 1 1 1\n");
  }
  ~HostTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view content) {
    std::filesystem::path path = folder_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  void Remove(const std::string& name) { std::filesystem::remove_all(folder_ + "/" + name); }

  std::unique_ptr<Collector> Make(const std::string& root = "/") {
    ConfigErrors errors;
    std::string yaml =
        "{procfs: " + folder_ + "/proc, sysfs: " + folder_ + "/sys, rootfs: " + root + "}";
    ConfigReader reader(ConfigNode::Parse(yaml, "t.yaml", ConfigNode::Expand::kNothing, errors),
                        errors);
    ParsedTarget target = ParseHostTarget(reader, files_);
    reader.Finish();
    EXPECT_TRUE(errors.empty()) << errors.Text();
    EXPECT_FALSE(target.instance.empty());
    return std::get<std::unique_ptr<Collector>>(target.make({clock_, files_}));
  }

  Result<> Collect(Collector& collector) {
    batch_.Clear();
    CollectContext context{clock_,
                           FromUnixMillis(1'795'412'974'250),
                           clock_.SteadyNow() + std::chrono::seconds(5),
                           {}};
    return collector.Collect(context, batch_);
  }

  std::string folder_;
  SystemClock clock_;
  PosixFileSystem files_;
  model::MetricBatch batch_;
};

TEST_F(HostTest, NumbersStandUnderNodeExportersNames) {
  auto collector = Make();
  auto collected = Collect(*collector);
  ASSERT_TRUE(collected.ok()) << collected.error().message;
  const std::pair<std::string, double> expected[] = {
      {R"(node_cpu_seconds_total{cpu="0",mode="idle"})", 20},
      {R"(node_cpu_seconds_total{cpu="1",mode="user"})", 2},
      {R"(node_cpu_guest_seconds_total{cpu="0",mode="nice"})", 0.03},
      {"node_boot_time_seconds", 1795411534},
      {"node_intr_total", 12345},
      {"node_procs_running", 2},
      {"node_memory_MemTotal_bytes", 24684096.0 * 1024},
      {"node_memory_Active_anon_bytes", 12288},
      {"node_memory_HugePages_Total", 4},
      {"node_load1", 0.96},
      {"node_load15", 0.27},
      {R"(node_disk_read_bytes_total{device="vda"})", 5109000.0 * 512},
      {R"(node_disk_io_now{device="vda"})", 1},
      {R"(node_disk_io_time_seconds_total{device="vda"})", 23.304},
      {R"(node_disk_flush_requests_time_seconds_total{device="vda"})", 3.344},
      {R"(node_disk_reads_completed_total{device="nvme0n1"})", 5},
      {R"(node_network_receive_bytes_total{device="eth0"})", 119851637},
      {R"(node_network_receive_drop_total{device="eth0"})", 1},
      {R"(node_network_transmit_packets_total{device="eth0"})", 1642},
      {R"(node_network_flags{device="eth0"})", 0x1003},
      {R"(node_network_speed_bytes{device="eth0"})", 125e6},
      {R"(node_network_up{device="eth0"})", 1},
      {R"(node_network_info{address="02:fc:00:00:00:01",device="eth0",operstate="up"})", 1},
      {"node_pressure_cpu_waiting_seconds_total", 27.135377},
      {"node_pressure_memory_stalled_seconds_total", 2},
      {"node_vmstat_pgfault", 500},
      {"node_filefd_allocated", 960},
      {"node_time_seconds", 1795412974.25},
      {R"(tocsin_process_group_cpu_seconds_total{group="postgresql"})", 1.3},
      {R"(tocsin_process_group_processes{group="postgresql"})", 1},
      {R"(node_scrape_collector_success{collector="cpu"})", 1},
  };
  for (const auto& [series, value] : expected) {
    auto found = Value(batch_, series);
    ASSERT_TRUE(found.has_value()) << series;
    EXPECT_DOUBLE_EQ(*found, value) << series;
  }
  EXPECT_EQ(Duplicates(batch_), std::set<std::string>());
}

TEST_F(HostTest, PartitionsAndLoopDisksAreLeftOut) {
  auto collector = Make();
  ASSERT_TRUE(Collect(*collector).ok());
  for (const char* device : {"vda1", "loop0", "nvme0n1p1"}) {
    EXPECT_FALSE(Value(batch_, "node_disk_io_now{device=\"" + std::string(device) + "\"}"))
        << device;
  }
}

TEST_F(HostTest, NetworkFileSystemsAreNeverAsked) {
  auto collector = Make();
  ASSERT_TRUE(Collect(*collector).ok());
  EXPECT_TRUE(Value(
      batch_, R"(node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"})"));
  EXPECT_EQ(Value(batch_, "tocsin_host_filesystems_skipped"), 2);
  EXPECT_FALSE(Value(
      batch_,
      R"(node_filesystem_device_error{device="/dev/vdc",fstype="ext4",mountpoint="/mnt/over"})"))
      << "what lies under a network file system leads to it";
  EXPECT_EQ(
      Value(
          batch_,
          R"(node_filesystem_device_error{device="/dev/vdb",fstype="ext4",mountpoint="/gone away"})"),
      1);
}

TEST_F(HostTest, AMountPointMayHaveAnyName) {
  Write("root/data\n\"quo\\te\xff/file", "");
  Write("proc/1/mounts", "/dev/v\"da /data\\012\"quo\\134te\xff ext4 ro 0 0\n");
  auto collector = Make(folder_ + "/root");
  ASSERT_TRUE(Collect(*collector).ok());
  EXPECT_EQ(Value(batch_,
                  "node_filesystem_readonly{device=\"/dev/v\\\"da\",fstype=\"ext4\","
                  "mountpoint=\"/data\\n\\\"quo\\\\te\xEF\xBF\xBD\"}"),
            1);
}

TEST_F(HostTest, DisksAreDescribedByWhatUdevKnows) {
  Write("root/run/udev/data/b254:0",
        "S:disk/by-id/x\nE:ID_MODEL=Fast \"one\"\nE:ID_SERIAL_SHORT=S1\nE:ID_WWN=0x5\n"
        "E:ID_PATH=pci-0\nE:ID_REVISION=2.1\nE:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\n"
        "E:ID_FS_UUID=u-1\nE:ID_FS_VERSION=1.0\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\n"
        "E:ID_ATA_ROTATION_RATE_RPM=7200\n");
  Write("root/run/udev/data/b259:0", "E:DM_NAME=vg-data\nE:DM_UUID=LVM-1\nE:DM_LV_NAME=data\n");
  Write("sys/class/net/eth0/statistics/rx_nohandler", "17\n");
  auto collector = Make(folder_ + "/root");
  ASSERT_TRUE(Collect(*collector).ok());
  for (
      const char* series :
      {R"(node_disk_info{device="vda",major="254",minor="0",model="Fast \"one\"",path="pci-0",revision="2.1",serial="S1",wwn="0x5"})",
       R"(node_disk_filesystem_info{device="vda",type="ext4",usage="filesystem",uuid="u-1",version="1.0"})",
       R"(node_disk_device_mapper_info{device="nvme0n1",lv_name="data",name="vg-data",uuid="LVM-1"})",
       R"(node_disk_ata_write_cache{device="vda"})"}) {
    EXPECT_EQ(Value(batch_, series), 1) << series;
  }
  EXPECT_EQ(Value(batch_, R"(node_disk_ata_rotation_rate_rpm{device="vda"})"), 7200);
  EXPECT_FALSE(Value(batch_, R"(node_disk_ata_write_cache_enabled{device="vda"})"));
  EXPECT_EQ(Value(batch_, R"(node_network_receive_nohandler_total{device="eth0"})"), 17);
}

TEST_F(HostTest, SubjectThatCannotBeReadCostsOnlyItself) {
  Remove("proc/pressure");
  Write("proc/loadavg", "nonsense");
  auto collector = Make();
  ASSERT_TRUE(Collect(*collector).ok());
  EXPECT_EQ(Value(batch_, R"(node_scrape_collector_success{collector="pressure"})"), 0);
  EXPECT_EQ(Value(batch_, R"(node_scrape_collector_success{collector="loadavg"})"), 0);
  EXPECT_EQ(Value(batch_, R"(node_scrape_collector_success{collector="meminfo"})"), 1);
  ASSERT_EQ(batch_.notes().size(), 2U);
  EXPECT_EQ(batch_.notes()[0], "loadavg: loadavg is not as the kernel writes it");
}

TEST_F(HostTest, WithoutCpuTimesTheHostIsDown) {
  Remove("proc/stat");
  auto collector = Make();
  auto collected = Collect(*collector);
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code, ErrorCode::kNotFound) << collected.error().message;
}

TEST_F(HostTest, IdleTimeThatRunsBackwardsALittleStaysWhereItWas) {
  auto collector = Make();
  ASSERT_TRUE(Collect(*collector).ok());
  Write("proc/stat", "cpu0 101 10 30 1999 4 0 5 1 7 3\ncpu1 200 10 40 1000 5 0 0 1 0 0\n");
  ASSERT_TRUE(Collect(*collector).ok());
  EXPECT_EQ(Value(batch_, R"(node_cpu_seconds_total{cpu="0",mode="idle"})"), 20);
  EXPECT_EQ(Value(batch_, R"(node_cpu_seconds_total{cpu="0",mode="iowait"})"), 0.05);
  EXPECT_EQ(Value(batch_, R"(node_cpu_seconds_total{cpu="0",mode="user"})"), 1.01);
  EXPECT_EQ(Value(batch_, R"(node_cpu_seconds_total{cpu="1",mode="idle"})"), 10)
      << "a CPU taken out and put back starts again";
}

// The page of the packaged node_exporter, of which ours must hold every family of
// the subjects that both have.
TEST_F(HostTest, TypesAreThoseOfNodeExporter) {
  auto collector = Make();
  ASSERT_TRUE(Collect(*collector).ok());
  auto types = FamilyTypes(batch_);
  std::ifstream page(std::string(TOCSIN_SOURCE_DIR) + "/tests/unit/collectors/host/node_types.txt");
  ASSERT_TRUE(page.good());
  std::string name, type;
  int compared = 0;
  while (page >> name >> type) {
    auto ours = types.find(name);
    if (ours == types.end()) continue;
    EXPECT_EQ(ours->second, type) << name;
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

TEST(ParseHostTargetTest, RelativeFoldersAreErrors) {
  PosixFileSystem files;
  ConfigErrors errors;
  ConfigReader reader(
      ConfigNode::Parse("{procfs: proc}", "t.yaml", ConfigNode::Expand::kNothing, errors), errors);
  ParseHostTarget(reader, files);
  ASSERT_EQ(errors.errors().size(), 1U);
  EXPECT_EQ(errors.errors()[0].message, "must be an absolute path");
}

}  // namespace
}  // namespace tocsin::collectors::host
