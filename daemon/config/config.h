#pragma once

// The whole configuration, assembled from what each room parsed of its own
// section. A Config that LoadConfig returned cannot be wrong.

#include <memory>
#include <optional>
#include <string>

#include "daemon/api/api_config.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "daemon/model/labels.h"
#include "daemon/notify/notify_config.h"
#include "daemon/poll/poll_config.h"
#include "daemon/push/push_config.h"
#include "daemon/store/store_config.h"
#include "rules/engine/rule_file.h"
#include "rules/engine/rules_config.h"
#include "rules/promql/promql_config.h"

namespace tocsin::config {

struct Config {
  model::Labels external_labels;  // On every series and alert that leaves this host.
  poll::PollConfig poll;
  store::StoreConfig store;
  rules::RulesConfig rules;
  rules::RuleSet rule_set;  // The files that `rules` names, read.
  promql::PromqlConfig promql;
  std::shared_ptr<const notify::NotifyConfig> notify;
  push::PushConfig push;
  api::ApiConfig api;
  std::string yaml;  // As it was read, without credentials: for /api/v1/status/config.
  // Of the sections that a running daemon cannot take over (listen, web, storage,
  // promql) and the files they name.
  std::string fixed_sections_digest;
  std::string push_digest;  // Equal when push and the external labels are.

  bool NeedsRestartAfter(const Config& running) const {
    return fixed_sections_digest != running.fixed_sections_digest;
  }
};

struct LoadOptions {
  std::string path;                                // Of tocsin.yaml.
  std::string builtin_rules;                       // The folder that "builtin" stands for.
  std::optional<std::string> text = std::nullopt;  // Instead of the file's, which need not exist.
};

// Reads the file, every file it names and the credentials they refer to. All that
// is wrong in any of them is added to `errors` with its place; the result is
// meaningful only if nothing was.
Config LoadConfig(const LoadOptions& options, FileSystem& files, ConfigErrors& errors);

// The node as YAML, with every credential as <secret>.
std::string RedactedYaml(const ConfigNode& node);

}  // namespace tocsin::config
