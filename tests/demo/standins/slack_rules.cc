#include <nlohmann/json.hpp>

#include "tests/demo/standins/text_length.h"
#include "tests/demo/standins/vendor_rules.h"

namespace tocsin::demo {
namespace {

using nlohmann::json;

// What is wrong with a text that may be left out; empty: nothing.
std::string TextProblem(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (!found->is_string()) return std::string(name) + " is no string";
  if (CharacterCount(found->get_ref<const std::string&>()) > kSlackTextLimit) {
    return std::string(name) + " is longer than 40,000 characters";
  }
  return {};
}

bool IsColor(const std::string& text) {
  if (text.empty() || text == "good" || text == "warning" || text == "danger") return true;
  if (text.size() != 7 || text[0] != '#') return false;
  return text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
}

std::string FieldProblem(const json& field) {
  if (!field.is_object()) return "a field is no object";
  for (const char* name : {"title", "value"}) {
    if (!field.contains(name) || !field[name].is_string()) {
      return std::string("a field's ") + name + " is missing or no string";
    }
  }
  if (field.contains("short") && !field["short"].is_boolean()) return "a field's short is no bool";
  return {};
}

std::string ActionProblem(const json& action) {
  if (!action.is_object()) return "an action is no object";
  for (const char* name : {"type", "text"}) {
    if (!action.contains(name) || !action[name].is_string()) {
      return std::string("an action's ") + name + " is missing or no string";
    }
  }
  return {};
}

std::string ListProblem(const json& attachment, const char* name,
                        std::string (*problem)(const json&)) {
  const auto found = attachment.find(name);
  if (found == attachment.end()) return {};
  if (!found->is_array()) return std::string(name) + " is no list";
  for (const auto& element : *found) {
    if (auto text = problem(element); !text.empty()) return text;
  }
  return {};
}

std::string AttachmentProblem(const json& attachment) {
  if (!attachment.is_object()) return "an attachment is no object";
  for (const char* name : {"title", "title_link", "text", "pretext", "fallback", "footer", "color",
                           "callback_id", "image_url", "thumb_url", "author_name"}) {
    if (auto problem = TextProblem(attachment, name); !problem.empty()) return problem;
  }
  if (attachment.contains("color") && !IsColor(attachment["color"].get<std::string>())) {
    return "color is neither good, warning, danger nor #rrggbb";
  }
  if (auto problem = ListProblem(attachment, "fields", FieldProblem); !problem.empty()) {
    return problem;
  }
  if (auto problem = ListProblem(attachment, "actions", ActionProblem); !problem.empty()) {
    return problem;
  }
  return ListProblem(attachment, "mrkdwn_in", [](const json& word) {
    return word.is_string() ? std::string() : std::string("mrkdwn_in holds something else");
  });
}

std::string BlockProblem(const json& block) {
  constexpr std::size_t kSectionLimit = 3'000;
  constexpr std::size_t kHeaderLimit = 150;
  if (!block.is_object() || !block.contains("type") || !block["type"].is_string()) {
    return "a block has no type";
  }
  if (!block.contains("text") || !block["text"].is_object()) return {};
  const auto& object = block["text"];
  if (!object.contains("text") || !object["text"].is_string()) return "a block's text is no string";
  const auto text = object["text"].get<std::string>();
  const bool header = block["type"] == "header";
  if (text.empty()) return "a block's text is empty";
  if (CharacterCount(text) > (header ? kHeaderLimit : kSectionLimit)) {
    return "a block's text is too long";
  }
  return {};
}

SlackVerdict Refuse(std::string word, std::string reason) {
  return {.refusal = std::move(word), .reason = std::move(reason), .headline = {}};
}

std::string Headline(const json& message) {
  if (const auto text = message.value("text", ""); !text.empty()) return text;
  for (const auto& attachment : message.value("attachments", json::array())) {
    for (const char* name : {"title", "fallback", "text"}) {
      if (auto text = attachment.value(name, ""); !text.empty()) return text;
    }
  }
  return "(blocks)";
}

bool SaysSomething(const json& message) {
  if (!message.value("text", "").empty()) return true;
  for (const char* name : {"attachments", "blocks"}) {
    if (message.contains(name) && !message[name].empty()) return true;
  }
  return false;
}

}  // namespace

SlackVerdict JudgeSlackMessage(std::string_view body) {
  const json message = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!message.is_object()) return Refuse("invalid_payload", "the body is no JSON object");
  for (const char* name : {"text", "channel", "username", "icon_emoji", "icon_url"}) {
    if (auto problem = TextProblem(message, name); !problem.empty()) {
      return Refuse("invalid_payload", problem);
    }
  }
  if (message.contains("attachments")) {
    const auto& attachments = message["attachments"];
    if (!attachments.is_array()) return Refuse("invalid_payload", "attachments is no list");
    if (attachments.size() > kSlackAttachmentLimit) {
      return Refuse("too_many_attachments", "more than 100 attachments");
    }
    for (const auto& attachment : attachments) {
      if (auto problem = AttachmentProblem(attachment); !problem.empty()) {
        return Refuse("invalid_attachments", problem);
      }
    }
  }
  if (message.contains("blocks")) {
    const auto& blocks = message["blocks"];
    if (!blocks.is_array() || blocks.size() > kSlackBlockLimit) {
      return Refuse("invalid_blocks", "blocks is no list of at most 50");
    }
    for (const auto& block : blocks) {
      if (auto problem = BlockProblem(block); !problem.empty()) {
        return Refuse("invalid_blocks", problem);
      }
    }
  }
  if (!SaysSomething(message)) return Refuse("no_text", "neither text nor attachments nor blocks");
  return {.refusal = {}, .reason = {}, .headline = Headline(message)};
}

}  // namespace tocsin::demo
