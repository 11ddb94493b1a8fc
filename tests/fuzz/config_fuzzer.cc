// tocsin.yaml and the files it names, through every room's reader: whatever stands in
// them, there is a configuration or a list of errors. One input holds up to three
// files, parted by lines "=====": tocsin.yaml, rules.yaml and alertmanager.yml.

#include "daemon/config/config.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/check.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/sim_clock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tocsin::ConfigNode;
  constexpr std::string_view kBorder = "\n=====\n";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const tocsin::testing::SimClock clock;
  tocsin::testing::FaultDisk disk;
  tocsin::testing::FaultFileSystem files(disk, clock);
  std::string main;
  for (const char* path : {"/etc/tocsin.yaml", "/etc/rules.yaml", "/etc/alertmanager.yml"}) {
    const auto end = rest.find(kBorder);
    const std::string_view content = rest.substr(0, end);
    TOCSIN_CHECK(files.WriteAtomically(path, content).ok());
    if (main.empty()) main = content;
    if (end == rest.npos) break;
    rest.remove_prefix(end + kBorder.size());
  }

  tocsin::ConfigErrors errors;
  const auto config = tocsin::config::LoadConfig({"/etc/tocsin.yaml", "/rules"}, files, errors);
  for (const auto& error : errors.errors()) TOCSIN_CHECK(!error.message.empty());
  if (!errors.empty()) return 0;
  // What is shown of a good file is a good file.
  tocsin::ConfigErrors shown;
  ConfigNode::Parse(config.yaml, "shown", ConfigNode::Expand::kNothing, shown);
  TOCSIN_CHECK(shown.empty());
  return 0;
}
