// Feeds what fuzzers found worth keeping to the same entry they use: each file of the
// folders and files named, whole and cut off at every length.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Larger files are cut at fewer places.
constexpr std::size_t kMostCuts = 300;

void Replay(const std::filesystem::path& path) {
  std::fprintf(stderr, "%s\n", path.c_str());  // The last one named is the culprit.
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t step = text.size() / kMostCuts + 1;
  for (std::size_t size = 0; size < text.size(); size += step) {
    // A copy of just that size, so that a sanitizer sees a read past its end.
    const std::string cut = text.substr(0, size);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(cut.data()), cut.size());
  }
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.insert(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.insert(entry.path());
    }
  }
  if (files.empty()) {
    std::fprintf(stderr, "no corpus\n");
    return 1;
  }
  for (const auto& path : files) Replay(path);
  return 0;
}
