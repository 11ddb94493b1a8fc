#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "collectors/host/proc_text.h"
#include "collectors/host/subjects.h"
#include "daemon/base/ascii.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::host {
namespace {

using model::MetricBatch;
using model::MetricType;

constexpr double kSectorBytes = 512;  // Of /proc/diskstats, whatever the disk's own is.
constexpr double kMillis = 1e-3;

struct DiskField {
  std::size_t index;  // In a line of /proc/diskstats, from 0 (major, minor, name, …).
  std::string_view metric;
  MetricType type;
  double scale;
  std::string_view help;
};

constexpr MetricType kCounter = MetricType::kCounter;

constexpr DiskField kFields[] = {
    {3, "node_disk_reads_completed_total", kCounter, 1, "Reads completed"},
    {4, "node_disk_reads_merged_total", kCounter, 1, "Reads merged"},
    {5, "node_disk_read_bytes_total", kCounter, kSectorBytes, "Bytes read"},
    {6, "node_disk_read_time_seconds_total", kCounter, kMillis, "Time spent by all reads"},
    {7, "node_disk_writes_completed_total", kCounter, 1, "Writes completed"},
    {8, "node_disk_writes_merged_total", kCounter, 1, "Writes merged"},
    {9, "node_disk_written_bytes_total", kCounter, kSectorBytes, "Bytes written"},
    {10, "node_disk_write_time_seconds_total", kCounter, kMillis, "Time spent by all writes"},
    {11, "node_disk_io_now", MetricType::kGauge, 1, "I/Os in progress"},
    {12, "node_disk_io_time_seconds_total", kCounter, kMillis, "Time spent doing I/Os"},
    {13, "node_disk_io_time_weighted_seconds_total", kCounter, kMillis,
     "Time spent doing I/Os, weighted by how many"},
    {14, "node_disk_discards_completed_total", kCounter, 1, "Discards completed"},
    {15, "node_disk_discards_merged_total", kCounter, 1, "Discards merged"},
    {16, "node_disk_discarded_sectors_total", kCounter, 1, "Sectors discarded"},
    {17, "node_disk_discard_time_seconds_total", kCounter, kMillis, "Time spent by all discards"},
    {18, "node_disk_flush_requests_total", kCounter, 1, "Flush requests completed"},
    {19, "node_disk_flush_requests_time_seconds_total", kCounter, kMillis,
     "Time spent by all flush requests"},
};

// What udev has found out about a disk: "E:NAME=value" lines. Where there is no udev,
// as in containers, there is nothing.
using UdevProperties = std::map<std::string, std::string, std::less<>>;

UdevProperties ReadUdev(HostSources& sources, std::string_view major, std::string_view minor) {
  const std::string root = sources.paths.root == "/" ? "" : sources.paths.root;
  auto text =
      sources.files.Read(root + "/run/udev/data/b" + std::string(major) + ":" + std::string(minor));
  UdevProperties properties;
  if (!text.ok()) return properties;
  ForEachLine(*text, [&](std::string_view line) {
    const std::size_t equals = line.find('=');
    if (!line.starts_with("E:") || equals == std::string_view::npos) return;
    properties.emplace(line.substr(2, equals - 2), line.substr(equals + 1));
  });
  return properties;
}

std::string_view Property(const UdevProperties& properties, std::string_view name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string_view() : found->second;
}

void AddInfo(std::string_view device, std::string_view major, std::string_view minor,
             const UdevProperties& udev, MetricBatch& batch) {
  const auto get = [&](std::string_view name) { return Property(udev, name); };
  batch.Add(batch.DeclareFamily(
                "node_disk_info", "What the disk is", MetricType::kGauge,
                {"device", "major", "minor", "path", "wwn", "model", "serial", "revision"}),
            {device, major, minor, get("ID_PATH"), get("ID_WWN"), get("ID_MODEL"),
             get("ID_SERIAL_SHORT"), get("ID_REVISION")},
            1);
  if (!get("ID_FS_USAGE").empty()) {
    batch.Add(
        batch.DeclareFamily("node_disk_filesystem_info", "The file system on the disk",
                            MetricType::kGauge, {"device", "type", "usage", "uuid", "version"}),
        {device, get("ID_FS_TYPE"), get("ID_FS_USAGE"), get("ID_FS_UUID"), get("ID_FS_VERSION")},
        1);
  }
  if (!get("DM_NAME").empty()) {
    batch.Add(
        batch.DeclareFamily("node_disk_device_mapper_info", "The mapped device", MetricType::kGauge,
                            {"device", "name", "uuid", "vg_name", "lv_name", "lv_layer"}),
        {device, get("DM_NAME"), get("DM_UUID"), get("DM_VG_NAME"), get("DM_LV_NAME"),
         get("DM_LV_LAYER")},
        1);
  }
  if (get("ID_ATA").empty()) return;
  constexpr std::pair<std::string_view, std::string_view> kAta[] = {
      {"ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache"},
      {"ID_ATA_WRITE_CACHE_ENABLED", "node_disk_ata_write_cache_enabled"},
      {"ID_ATA_ROTATION_RATE_RPM", "node_disk_ata_rotation_rate_rpm"}};
  for (const auto& [property, metric] : kAta) {
    const auto value = ParseDouble(get(property));
    if (!value.has_value()) continue;
    batch.Add(batch.DeclareFamily(metric, "From udev", MetricType::kGauge, {"device"}), {device},
              *value);
  }
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

// Partitions of hd, sd, vd and xvd disks and of NVMe ones; ram, loop and floppy
// disks: what node_exporter leaves out by default.
bool IsLeftOut(std::string_view name) {
  auto digits_from = std::find_if_not(name.rbegin(), name.rend(), IsDigit).base();
  auto stem = name.substr(0, static_cast<std::size_t>(digits_from - name.begin()));
  if (stem.size() == name.size()) return false;
  if (stem == "ram" || stem == "loop" || stem == "fd") return true;
  if (stem.starts_with("nvme") && stem.ends_with('p')) return true;
  for (std::string_view bus : {"hd", "sd", "vd", "xvd"}) {
    if (stem.starts_with(bus) && stem.size() == bus.size() + 1 && IsLower(stem.back())) return true;
  }
  return false;
}

}  // namespace

Result<> CollectDisks(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("diskstats"));
  bool strange = false;
  ForEachLine(text, [&](std::string_view line) {
    std::vector<std::string_view> fields = Fields(line);
    if (fields.empty()) return;
    if (fields.size() < 14) {
      strange = true;
      return;
    }
    std::string_view device = fields[2];
    if (IsLeftOut(device)) return;
    AddInfo(device, fields[0], fields[1], ReadUdev(sources, fields[0], fields[1]), batch);
    for (const DiskField& field : kFields) {
      if (field.index >= fields.size()) break;
      auto family = batch.DeclareFamily(field.metric, field.help, field.type, {"device"});
      batch.Add(family, {device}, FieldNumber(fields, field.index) * field.scale);
    }
  });
  if (strange) return NotAsExpected("diskstats");
  return {};
}

}  // namespace tocsin::collectors::host
