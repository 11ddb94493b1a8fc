#include "daemon/notify/route_tree.h"

#include "daemon/notify/matcher_text.h"

namespace tocsin::notify {
namespace {

RouteNode Build(const RouteConfig& config, const std::string& parent_key) {
  RouteNode node;
  node.config = &config;
  node.key = (parent_key.empty() ? "" : parent_key + "/") + MatchersText(config.matchers);
  for (const RouteConfig& child : config.routes) node.children.push_back(Build(child, node.key));
  return node;
}

bool Collect(const RouteNode& node, const model::Labels& labels,
             std::vector<const RouteNode*>& out) {
  if (!model::MatchesAll(node.config->matchers, labels)) return false;
  bool taken = false;
  for (const RouteNode& child : node.children) {
    if (!Collect(child, labels, out)) continue;
    taken = true;
    if (!child.config->continue_matching) break;
  }
  if (!taken) out.push_back(&node);
  return true;
}

}  // namespace

model::Labels RouteNode::GroupLabels(const model::Labels& labels) const {
  return config->group_by_all ? labels : labels.Keep(config->group_by);
}

std::string RouteNode::GroupKey(const model::Labels& group_labels) const {
  return key + ":" + group_labels.Text();
}

RouteTree::RouteTree(std::shared_ptr<const NotifyConfig> config)
    : config_(std::move(config)), root_(Build(config_->route, "")) {}

std::vector<const RouteNode*> RouteTree::Match(const model::Labels& labels) const {
  std::vector<const RouteNode*> nodes;
  Collect(root_, labels, nodes);
  return nodes;
}

}  // namespace tocsin::notify
