// Whether the texts of a configuration are templates.

#include <charconv>
#include <set>
#include <system_error>
#include <tuple>
#include <vector>

#include "daemon/notify/config_parts.h"
#include "daemon/notify/receivers/receiver.h"
#include "daemon/notify/templates.h"

namespace tocsin::notify {
namespace {

// The values within `node` that read `text`.
void FindText(const ConfigNode& node, const std::string& text,
              std::vector<const ConfigNode*>& found) {
  if (node.kind() == ConfigNode::Kind::kScalar && node.scalar() == text) found.push_back(&node);
  for (const ConfigNode& item : node.items()) FindText(item, text, found);
  for (const auto& [key, value] : node.entries()) FindText(value, text, found);
}

// Checks texts and puts an error wherever one that is wrong stands, once: within a part
// of the file, or (inherited) anywhere in it.
class TextChecker {
 public:
  TextChecker(const Templates& templates, const ConfigNode& root, ConfigErrors& errors)
      : templates_(templates), root_(root), errors_(errors) {}

  void Check(const std::string& text, const ConfigNode& part) {
    const Result<> sound = templates_.Check(text);
    if (sound.ok()) return;
    std::vector<const ConfigNode*> places;
    FindText(part, text, places);
    if (places.empty()) FindText(root_, text, places);
    if (places.empty()) places.push_back(&part);
    for (const ConfigNode* place : places) {
      if (reported_.emplace(place->line(), place->column(), text).second) {
        errors_.Add(*place, sound.error().message);
      }
    }
  }

 private:
  const Templates& templates_;
  const ConfigNode& root_;
  ConfigErrors& errors_;
  std::set<std::tuple<int, int, std::string>> reported_;
};

void CheckRoute(const RouteConfig& route, const ConfigNode& node, TextChecker& checker) {
  for (const auto& [name, text] : route.labels) checker.Check(std::string(text), node);
  const ConfigNode* routes = node.Find("routes");
  for (std::size_t i = 0; routes && i < route.routes.size() && i < routes->items().size(); ++i) {
    CheckRoute(route.routes[i], routes->items()[i], checker);
  }
}

// Of "template: PATH:LINE: WHY" the place and the reason.
ConfigError OfFile(const std::string& path, const std::string& message) {
  ConfigError error;
  error.file = path;
  error.message = message;
  const std::string before = "template: " + path + ":";
  if (!message.starts_with(before)) return error;
  const char* begin = message.data() + before.size();
  const auto [end, fault] = std::from_chars(begin, message.data() + message.size(), error.line);
  error.column = 1;
  const std::size_t why = message.find(": ", static_cast<std::size_t>(end - message.data()));
  if (fault == std::errc() && why != message.npos) error.message = message.substr(why + 2);
  return error;
}

// The templates of the files that parse; of each other there is an error.
std::shared_ptr<const Templates> MakeTemplates(const NotifyConfig& config, ConfigErrors& errors) {
  NotifyConfig sound;
  auto made = Templates::Make(sound, {});
  for (const auto& file : config.templates) {
    sound.templates.push_back(file);
    auto with_it = Templates::Make(sound, {});
    if (with_it.ok()) {
      made = std::move(with_it);
    } else {
      errors.Add(OfFile(file.first, with_it.error().message));
      sound.templates.pop_back();
    }
  }
  return made.value();
}

}  // namespace

void CheckTemplates(const NotifyConfig& config, const ConfigNode& root, ConfigErrors& errors) {
  const auto templates = MakeTemplates(config, errors);
  TextChecker checker(*templates, root, errors);
  const ConfigNode* receivers = root.Find("receivers");
  for (std::size_t i = 0; i < config.receivers.size(); ++i) {
    const bool listed = receivers && i < receivers->items().size();
    const ConfigNode& part = listed ? receivers->items()[i] : root;
    for (const IntegrationConfig& integration : config.receivers[i].integrations) {
      for (const std::string& text : TemplateTexts(integration)) checker.Check(text, part);
    }
  }
  if (const ConfigNode* route = root.Find("route")) CheckRoute(config.route, *route, checker);
}

}  // namespace tocsin::notify
