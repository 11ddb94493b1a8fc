#include "daemon/config/config.h"

#include "daemon/base/text.h"

namespace tocsin::config {
namespace {

constexpr const char* kDefaultStoragePath = "/var/lib/tocsin";

model::Labels ReadExternalLabels(ConfigReader& root) {
  const auto pairs = root.StringMap("labels");
  for (const auto& [name, value] : pairs) {
    if (!model::IsPlainLabelName(name) || name.starts_with("__")) {
      root.Fail("labels", "\"" + name + "\" is not a label name");
    }
  }
  return model::Labels::FromMap(pairs);
}

// What may stand in `notify` beside an Alertmanager file, which has no place for it.
std::optional<notify::HeartbeatConfig> ReadHeartbeat(ConfigReader section, FileSystem& files) {
  for (const char* receiver : {"slack", "pagerduty", "webhook"}) {
    if (!section.Has(receiver)) continue;
    section.Fail(receiver,
                 "\"alerting\" names a file that says who is told: beside it, \"notify\" takes "
                 "only \"heartbeat\"");
  }
  auto heartbeat = notify::ParseHeartbeat(section, files);
  section.Finish();
  return heartbeat;
}

// `alerting` names an Alertmanager file; `notify` is its short form.
std::shared_ptr<const notify::NotifyConfig> ReadNotify(ConfigReader& root, FileSystem& files,
                                                       ConfigErrors& errors) {
  const std::string path = root.Path("alerting");
  if (path.empty()) return notify::ParseShortForm(root.Map("notify"), files);
  auto heartbeat = ReadHeartbeat(root.Map("notify"), files);
  const auto text = files.Read(path);
  if (!text.ok()) {
    root.Fail("alerting", text.error().message);
    return nullptr;
  }
  ConfigErrors found;
  const ConfigNode node = ConfigNode::Parse(*text, path, ConfigNode::Expand::kNothing, found);
  const auto config = notify::ParseAlertmanagerConfig(node, files, found);
  for (const ConfigError& error : found.errors()) errors.Add(error);
  if (!config || !heartbeat) return config;
  auto with_heartbeat = std::make_shared<notify::NotifyConfig>(*config);
  with_heartbeat->heartbeat = std::move(heartbeat);
  return with_heartbeat;
}

// The rule files; one that cannot be read is an error of the key that names it.
rules::RuleSet ReadRules(ConfigReader& root, const rules::RulesConfig& config,
                         const LoadOptions& options, FileSystem& files) {
  ConfigErrors found;
  auto rule_set = rules::LoadRuleSet(config, files, options.builtin_rules, found);
  for (const ConfigError& error : found.errors()) {
    if (error.line == 0) {
      root.Fail("rules", error.message);
    } else {
      root.errors().Add(error);
    }
  }
  return rule_set;
}

}  // namespace

Config LoadConfig(const LoadOptions& options, FileSystem& files, ConfigErrors& errors) {
  Config config;
  const auto text = options.text ? Result<std::string>(*options.text) : files.Read(options.path);
  if (!text.ok()) {
    errors.Add(ConfigError{options.path, 0, 0, "", text.error().message});
    return config;
  }
  const ConfigNode node =
      ConfigNode::Parse(*text, options.path, ConfigNode::Expand::kEnvironment, errors);
  ConfigReader root(node, errors);
  config.api = api::ParseApiConfig(root, files);
  config.external_labels = ReadExternalLabels(root);
  config.poll = poll::ParsePollConfig(root, files);
  config.store = store::ParseStoreConfig(root.Map("storage"));
  if (config.store.path.empty()) config.store.path = kDefaultStoragePath;
  config.rules = rules::ParseRulesConfig(root, config.poll.interval);
  for (std::string& file : config.rules.files) {
    if (file != rules::kBuiltinRules) file = PathBeside(options.path, file);
  }
  ConfigReader promql = root.Map("promql");
  config.promql = promql::ParsePromqlConfig(promql);
  config.notify = ReadNotify(root, files, errors);
  config.push = push::ParsePushConfig(root.Map("push"), files);
  root.Finish();
  config.rule_set = ReadRules(root, config.rules, options, files);
  config.yaml = RedactedYaml(node);
  for (const char* section : {"listen", "web", "storage", "promql"}) {
    config.fixed_sections_digest += FingerprintOf(root.Node(section), files) + ";";
  }
  config.fixed_sections_digest = Sha256Hex(config.fixed_sections_digest);
  config.push_digest = Sha256Hex(FingerprintOf(root.Node("push"), files) + ";" +
                                 FingerprintOf(root.Node("labels"), files));
  return config;
}

}  // namespace tocsin::config
