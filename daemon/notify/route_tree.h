#pragma once

// The route tree as alerts walk it: depth first, the first child that matches
// ends the search among its siblings unless it says `continue`; a node none of
// whose children matches takes the alert itself. Immutable; thread-safe. Internal.

#include <memory>
#include <string>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/notify/notify_config.h"

namespace tocsin::notify {

struct RouteNode {
  const RouteConfig* config = nullptr;
  std::string key;  // "{}/{severity=\"critical\"}": the first part of a group key.
  std::vector<RouteNode> children;

  // The labels that make the group of an alert at this node.
  model::Labels GroupLabels(const model::Labels& labels) const;
  std::string GroupKey(const model::Labels& group_labels) const;
};

class RouteTree {
 public:
  explicit RouteTree(std::shared_ptr<const NotifyConfig> config);

  // In the order of the tree; never empty. Valid as long as the tree.
  std::vector<const RouteNode*> Match(const model::Labels& labels) const;

 private:
  std::shared_ptr<const NotifyConfig> config_;
  RouteNode root_;
};

}  // namespace tocsin::notify
