// `tocsin silence add|list|expire`: over Alertmanager's API of a running daemon.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/app/api_client.h"
#include "daemon/app/subcommand.h"
#include "daemon/base/http_client.h"
#include "daemon/base/text.h"
#include "daemon/base/user_name.h"
#include "daemon/notify/matcher_text.h"

namespace tocsin::app {
namespace {

using nlohmann::json;

struct SilenceOptions {
  DaemonAddress daemon;
  std::vector<std::string> words;  // Matchers, or ids.
  std::string duration = "1h";
  std::string start, end, comment, author;
  bool expired = false;
  bool as_json = false;
};

int Fail(const Error& error) {
  std::cerr << "tocsin: " << error.message << "\n";
  return kExitFindings;
}

int Misused(const Error& error) {
  std::cerr << "tocsin: " << error.message << "\n";
  return kExitUsage;
}

std::string Author() {
  if (const char* name = std::getenv("USER"); name && *name) return name;
  return UserName(getuid()).value_or(std::to_string(getuid()));
}

// A word without an operator is an alertname, as amtool has it.
Result<std::vector<model::Matcher>> ReadMatchers(const std::vector<std::string>& words) {
  std::vector<model::Matcher> matchers;
  for (const std::string& word : words) {
    if (word.find_first_of("=!{") == word.npos) {
      if (const auto tilde = word.find('~'); tilde != word.npos) {
        return Error{
            ErrorCode::kInvalidArgument,
            fmt::format("\"{0}\" is no matcher: write '{1}=~{2}' for a regular expression, "
                        "or 'alertname={0}' for an alert of that name",
                        word, word.substr(0, tilde), word.substr(tilde + 1))};
      }
      TOCSIN_ASSIGN_OR_RETURN(
          auto name,
          model::Matcher::Make(model::MatchOp::kEqual, std::string(model::kAlertName), word));
      matchers.push_back(std::move(name));
      continue;
    }
    TOCSIN_ASSIGN_OR_RETURN(auto some, notify::ParseMatchers(word));
    std::move(some.begin(), some.end(), std::back_inserter(matchers));
  }
  return matchers;
}

json MatcherJson(const model::Matcher& matcher) {
  const model::MatchOp op = matcher.op();
  return {{"name", matcher.name()},
          {"value", matcher.value()},
          {"isRegex", op == model::MatchOp::kRegex || op == model::MatchOp::kNotRegex},
          {"isEqual", op == model::MatchOp::kEqual || op == model::MatchOp::kRegex}};
}

Result<json> SilenceOf(const SilenceOptions& options) {
  TOCSIN_ASSIGN_OR_RETURN(const auto matchers, ReadMatchers(options.words));
  WallTime start = SystemClock().WallNow();
  if (!options.start.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(start, ParseTime(options.start));
  }
  WallTime end;
  if (options.end.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(const Millis duration, ParseDuration(options.duration));
    end = start + duration;
  } else {
    TOCSIN_ASSIGN_OR_RETURN(end, ParseTime(options.end));
  }
  json silence{{"matchers", json::array()},
               {"startsAt", FormatTime(start)},
               {"endsAt", FormatTime(end)},
               {"createdBy", options.author.empty() ? Author() : options.author},
               {"comment", options.comment}};
  for (const model::Matcher& matcher : matchers) {
    silence["matchers"].push_back(MatcherJson(matcher));
  }
  return silence;
}

int Add(const SilenceOptions& options) {
  const auto silence = SilenceOf(options);
  if (!silence.ok()) return Misused(silence.error());
  const auto body =
      ChangeThroughDaemon(options.daemon, "POST", "/api/v2/silences",
                          silence->dump(-1, ' ', false, json::error_handler_t::replace));
  if (!body.ok()) return Fail(body.error());
  const json answer = json::parse(*body, nullptr, false);
  const std::string id = answer.is_object() ? answer.value("silenceID", "") : "";
  if (id.empty()) return Fail({ErrorCode::kCorruption, "the daemon answered something unknown"});
  std::cout << (options.as_json ? *body : id) << "\n";
  return kExitGood;
}

std::string MatchersOf(const json& silence) {
  std::string text;
  for (const json& matcher : silence.at("matchers")) {
    const bool equal = matcher.value("isEqual", true);
    const bool regex = matcher.at("isRegex").get<bool>();
    const std::string_view op = regex ? (equal ? "=~" : "!~") : (equal ? "=" : "!=");
    text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", matcher.at("name").get<std::string>(),
                        op, model::QuoteLabelValue(matcher.at("value").get<std::string>()));
  }
  return text;
}

// One line per silence: id, state, end, matchers, who and why.
void PrintSilences(const json& silences) {
  for (const json& silence : silences) {
    const std::string state = silence.at("status").at("state");
    const bool pending = state == "pending";
    std::cout << fmt::format("{}  {:<7}  {} {}  {}  {}: {}\n", silence.at("id").get<std::string>(),
                             state, pending ? "from" : "until",
                             silence.at(pending ? "startsAt" : "endsAt").get<std::string>(),
                             MatchersOf(silence), silence.at("createdBy").get<std::string>(),
                             silence.at("comment").get<std::string>());
  }
  if (silences.empty()) std::cerr << "no silences\n";
}

int List(const SilenceOptions& options) {
  const auto matchers = ReadMatchers(options.words);
  if (!matchers.ok()) return Misused(matchers.error());
  std::vector<std::pair<std::string, std::string>> filters;
  for (const model::Matcher& matcher : *matchers) filters.emplace_back("filter", matcher.Text());
  const auto body = AskDaemon(options.daemon, "/api/v2/silences", filters);
  if (!body.ok()) return Fail(body.error());
  try {
    const json all = json::parse(*body);
    json wanted = json::array();
    for (const json& silence : all) {
      const bool expired = silence.at("status").at("state") == "expired";
      if (expired == options.expired) wanted.push_back(silence);
    }
    if (options.as_json) {
      std::cout << wanted.dump() << "\n";
    } else {
      PrintSilences(wanted);
    }
    return kExitGood;
  } catch (const json::exception&) {
    return Fail({ErrorCode::kCorruption, "the daemon answered something unknown"});
  }
}

int Expire(const SilenceOptions& options) {
  int worst = kExitGood;
  json expired = json::array();
  for (const std::string& id : options.words) {
    const auto answer =
        ChangeThroughDaemon(options.daemon, "DELETE", "/api/v2/silence/" + PercentEncode(id), "");
    if (answer.ok()) {
      expired.push_back(id);
    } else {
      worst = Fail(answer.error().WithContext(id));
    }
  }
  if (options.as_json) std::cout << json{{"expired", expired}}.dump() << "\n";
  return worst;
}

CLI::App* AddPart(CLI::App& parent, const std::string& name, const std::string& help,
                  const std::shared_ptr<SilenceOptions>& options) {
  auto* part = parent.add_subcommand(name, help);
  AddAddressOptions(*part, options->daemon);
  part->add_flag("--json", options->as_json, "Print the answer for a program to read");
  return part;
}

}  // namespace

void AddSilenceCommand(CLI::App& program, std::function<int()>& run) {
  auto* silence = program.add_subcommand("silence", "Keep alerts quiet for a while");
  silence->require_subcommand(1);
  silence->footer(
      "Exit status: 0 good, 1 the daemon refuses or does not answer, 2 usage.\n"
      "Example: tocsin silence add PoolFull instance=db1:6432 -d 2h -c \"resizing the pool\"");
  const auto options = std::make_shared<SilenceOptions>();

  auto* add = AddPart(*silence, "add", "Add a silence and print its id", options);
  add->add_option("MATCHER", options->words,
                  "label=value, !=, =~ or !~; a word alone is an alertname. All must match")
      ->required();
  auto* duration =
      add->add_option("-d,--duration", options->duration, "How long")->capture_default_str();
  add->add_option("--start", options->start, "When it begins (RFC 3339); default now");
  add->add_option("--end", options->end, "When it ends (RFC 3339), instead of a duration")
      ->excludes(duration);
  add->add_option("-c,--comment", options->comment, "Why");
  add->add_option("-a,--author", options->author, "Who; default the user");
  add->footer("Example: tocsin silence add 'severity=~warning|info' team=db --duration 30m");
  add->callback([&run, options] { run = [options] { return Add(*options); }; });

  auto* list = AddPart(*silence, "list", "List silences that are in force or to come", options);
  list->add_option("MATCHER", options->words, "Only silences that have this matcher");
  list->add_flag("--expired", options->expired, "Those that have ended instead");
  list->footer("Example: tocsin silence list PoolFull");
  list->callback([&run, options] { run = [options] { return List(*options); }; });

  auto* expire = AddPart(*silence, "expire", "End silences now", options);
  expire->add_option("ID", options->words, "Their ids")->required();
  expire->footer("Example: tocsin silence expire 1b04ba66-003b-4871-9d44-22fd1e406e3e");
  expire->callback([&run, options] { run = [options] { return Expire(*options); }; });
}

}  // namespace tocsin::app
