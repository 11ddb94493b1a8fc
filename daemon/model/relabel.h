#pragma once

// Relabelling: rules that rewrite or drop a series by its labels, in Prometheus' own
// words and with its semantics
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config).
// Used on scraped samples and on what remote_write sends. Immutable and thread-safe
// once read; cheap to copy.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/base/config_node.h"
#include "daemon/model/labels.h"

namespace tocsin::model {

class RelabelRules {
 public:
  RelabelRules() = default;

  // Reads the list of rules at `key`; absent: none. What is wrong goes to the
  // reader's errors.
  static RelabelRules Read(ConfigReader& reader, std::string_view key);

  bool empty() const { return rules_.empty(); }

  // The labels after all rules, in order; nothing if a rule drops the series or no
  // label is left.
  std::optional<Labels> Apply(const Labels& labels) const;

  struct Rule;

 private:
  std::vector<std::shared_ptr<const Rule>> rules_;
};

}  // namespace tocsin::model
