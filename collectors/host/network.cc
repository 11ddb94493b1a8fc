#include <string>
#include <vector>

#include "collectors/host/proc_text.h"
#include "collectors/host/subjects.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::host {
namespace {

using model::MetricBatch;
using model::MetricType;

// Devices exported at most; a host of containers has one for each of them.
constexpr std::size_t kMaxDevices = 500;

struct TrafficColumn {
  std::string_view metric;
  std::string_view help;
};

// The columns of /proc/net/dev after the device's name.
constexpr TrafficColumn kColumns[] = {
    {"node_network_receive_bytes_total", "Bytes received"},
    {"node_network_receive_packets_total", "Packets received"},
    {"node_network_receive_errs_total", "Receive errors"},
    {"node_network_receive_drop_total", "Packets dropped on receiving"},
    {"node_network_receive_fifo_total", "Receive FIFO errors"},
    {"node_network_receive_frame_total", "Framing errors"},
    {"node_network_receive_compressed_total", "Compressed packets received"},
    {"node_network_receive_multicast_total", "Multicast packets received"},
    {"node_network_transmit_bytes_total", "Bytes sent"},
    {"node_network_transmit_packets_total", "Packets sent"},
    {"node_network_transmit_errs_total", "Transmit errors"},
    {"node_network_transmit_drop_total", "Packets dropped on sending"},
    {"node_network_transmit_fifo_total", "Transmit FIFO errors"},
    {"node_network_transmit_colls_total", "Collisions"},
    {"node_network_transmit_carrier_total", "Carrier losses"},
    {"node_network_transmit_compressed_total", "Compressed packets sent"},
};

struct DeviceFile {
  std::string_view file;  // Below /sys/class/net/DEVICE.
  std::string_view metric;
  MetricType type;
  double scale;
  std::string_view help;
};

constexpr MetricType kGauge = MetricType::kGauge;
constexpr MetricType kCounter = MetricType::kCounter;
constexpr double kMegabits = 1e6 / 8;

constexpr DeviceFile kDeviceFiles[] = {
    {"addr_assign_type", "node_network_address_assign_type", kGauge, 1, "sysfs addr_assign_type"},
    {"carrier", "node_network_carrier", kGauge, 1, "1 if the physical link is up"},
    {"carrier_changes", "node_network_carrier_changes_total", kCounter, 1, "Link changes"},
    {"carrier_down_count", "node_network_carrier_down_changes_total", kCounter, 1,
     "Times the link went down"},
    {"carrier_up_count", "node_network_carrier_up_changes_total", kCounter, 1,
     "Times the link came up"},
    {"dev_id", "node_network_device_id", kGauge, 1, "sysfs dev_id"},
    {"dormant", "node_network_dormant", kGauge, 1, "1 if the device is dormant"},
    {"flags", "node_network_flags", kGauge, 1, "sysfs flags"},
    {"ifindex", "node_network_iface_id", kGauge, 1, "The interface's number"},
    {"iflink", "node_network_iface_link", kGauge, 1, "The number of the interface below"},
    {"link_mode", "node_network_iface_link_mode", kGauge, 1, "sysfs link_mode"},
    {"mtu", "node_network_mtu_bytes", kGauge, 1, "Largest packet"},
    {"name_assign_type", "node_network_name_assign_type", kGauge, 1, "sysfs name_assign_type"},
    {"netdev_group", "node_network_net_dev_group", kGauge, 1, "sysfs netdev_group"},
    {"speed", "node_network_speed_bytes", kGauge, kMegabits, "Speed of the link, per second"},
    {"tx_queue_len", "node_network_transmit_queue_length", kGauge, 1, "Transmit queue length"},
    {"type", "node_network_protocol_type", kGauge, 1, "sysfs type"},
};

// What /proc/net/dev does not have.
constexpr std::string_view kNoHandler = "node_network_receive_nohandler_total";

// sysfs writes some numbers in hexadecimal.
std::optional<double> SysfsNumber(std::string_view text) {
  if (!text.starts_with("0x")) return ParseDouble(text);
  double value = 0;
  for (char c : text.substr(2)) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return value;
}

// The content of a sysfs file, or empty: many of them refuse to be read while a
// device is down.
std::string ReadSysfs(HostSources& sources, const std::string& path) {
  auto text = sources.files.Read(path);
  return text.ok() ? std::string(TrimSpace(*text)) : std::string();
}

void AddDevice(HostSources& sources, const std::string& device, MetricBatch& batch) {
  std::string folder = sources.paths.sys + "/class/net/" + device + "/";
  for (const DeviceFile& file : kDeviceFiles) {
    auto value = SysfsNumber(ReadSysfs(sources, folder + std::string(file.file)));
    if (!value.has_value()) continue;
    batch.Add(batch.DeclareFamily(file.metric, file.help, file.type, {"device"}), {device},
              *value * file.scale);
  }
  std::string state = ReadSysfs(sources, folder + "operstate");
  batch.Add(batch.DeclareFamily("node_network_up", "1 if the operational state is up", kGauge,
                                {"device"}),
            {device}, state == "up" ? 1 : 0);
  auto info =
      batch.DeclareFamily("node_network_info", "What the device is", kGauge,
                          {"device", "address", "broadcast", "duplex", "operstate", "ifalias"});
  batch.Add(
      info,
      {device, ReadSysfs(sources, folder + "address"), ReadSysfs(sources, folder + "broadcast"),
       ReadSysfs(sources, folder + "duplex"), state, ReadSysfs(sources, folder + "ifalias")},
      1);
}

}  // namespace

Result<> CollectNetworkTraffic(HostSources& sources, MetricBatch& batch) {
  // net/dev is a link to the caller's own network namespace, as is node_exporter's view.
  TOCSIN_ASSIGN_OR_RETURN(std::string text, sources.ReadProc("net/dev"));
  std::size_t devices = 0;
  bool strange = false;
  ForEachLine(text, [&](std::string_view line) {
    std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) return;  // The two lines of headings.
    std::string_view device = TrimSpace(line.substr(0, colon));
    std::vector<std::string_view> fields = Fields(line.substr(colon + 1));
    if (fields.size() < std::size(kColumns)) {
      strange = true;
    } else if (++devices <= kMaxDevices) {
      for (std::size_t i = 0; i < std::size(kColumns); ++i) {
        auto family =
            batch.DeclareFamily(kColumns[i].metric, kColumns[i].help, kCounter, {"device"});
        batch.Add(family, {device}, FieldNumber(fields, i));
      }
      const auto unhandled =
          SysfsNumber(ReadSysfs(sources, sources.paths.sys + "/class/net/" + std::string(device) +
                                             "/statistics/rx_nohandler"));
      if (unhandled.has_value()) {
        batch.Add(batch.DeclareFamily(kNoHandler, "Packets received that nobody wanted", kCounter,
                                      {"device"}),
                  {device}, *unhandled);
      }
    }
  });
  if (strange || devices == 0) return NotAsExpected("net/dev");
  batch.AddGauge("tocsin_host_network_devices_left_out", "Network devices beyond the limit",
                 devices > kMaxDevices ? static_cast<double>(devices - kMaxDevices) : 0);
  return {};
}

Result<> CollectNetworkDevices(HostSources& sources, MetricBatch& batch) {
  TOCSIN_ASSIGN_OR_RETURN(auto devices, sources.files.List(sources.paths.sys + "/class/net"));
  std::size_t count = 0;
  for (const std::string& device : devices) {
    // bonding_masters lies among the devices and is a file.
    if (!sources.files.Status(sources.paths.sys + "/class/net/" + device + "/ifindex").ok()) {
      continue;
    }
    if (++count <= kMaxDevices) AddDevice(sources, device, batch);
  }
  return {};
}

}  // namespace tocsin::collectors::host
