#include "rules/engine/yaml_number.h"

#include <fmt/format.h>

#include "daemon/base/go_numbers.h"

namespace tocsin::rules {

std::optional<double> ReadYamlNumber(ConfigReader& reader, std::string_view key) {
  const ConfigNode node = reader.Node(key);
  if (node.IsNull()) return std::nullopt;
  const auto number = ParseYamlNumber(node.scalar());
  if (number && !node.quoted()) return number;
  reader.Fail(key, number ? "expected a number without quotes"
                          : fmt::format("expected a number, found \"{}\"", node.scalar()));
  return std::nullopt;
}

}  // namespace tocsin::rules
