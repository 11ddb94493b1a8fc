#include "daemon/notify/state_rows.h"

#include <exception>
#include <nlohmann/json.hpp>

namespace tocsin::notify {
namespace {

using nlohmann::json;

// Runs `read` on the parsed text; what goes wrong is kCorruption.
template <class T, class Read>
Result<T> Parsed(std::string_view text, Read read) {
  try {
    return read(json::parse(text));
  } catch (const std::exception& e) {
    return Error{ErrorCode::kCorruption, std::string("a stored row does not read: ") + e.what()};
  }
}

}  // namespace

std::string MatchersJson(const std::vector<model::Matcher>& matchers) {
  json list = json::array();
  for (const model::Matcher& matcher : matchers) {
    list.push_back({static_cast<int>(matcher.op()), matcher.name(), matcher.value()});
  }
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::vector<model::Matcher>> ParseMatchersJson(std::string_view text) {
  using Matchers = std::vector<model::Matcher>;
  return Parsed<Matchers>(text, [](const json& list) -> Result<Matchers> {
    Matchers matchers;
    for (const json& item : list) {
      TOCSIN_ASSIGN_OR_RETURN(
          model::Matcher matcher,
          model::Matcher::Make(static_cast<model::MatchOp>(item.at(0).get<int>()),
                               item.at(1).get<std::string>(), item.at(2).get<std::string>()));
      matchers.push_back(std::move(matcher));
    }
    return matchers;
  });
}

std::string ToldJson(const LogEntry& entry) {
  json list = json::array();
  for (const auto& [fingerprint, told] : entry.firing) {
    list.push_back(json::array({fingerprint, told.hushed, told.taken}));
  }
  return list.dump();
}

Result<> ParseToldJson(std::string_view text, LogEntry& entry) {
  return Parsed<Ok>(text, [&](const json& list) -> Result<> {
    for (const json& told : list) {
      entry.firing[told.at(0).get<std::uint64_t>()] = {
          .hushed = told.at(1).get<bool>(), .taken = told.size() < 3 || told.at(2).get<bool>()};
    }
    return {};
  });
}

std::string FingerprintsJson(const std::set<std::uint64_t>& fingerprints) {
  return json(fingerprints).dump();
}

Result<std::set<std::uint64_t>> ParseFingerprintsJson(std::string_view text) {
  using Set = std::set<std::uint64_t>;
  return Parsed<Set>(text, [](const json& list) -> Result<Set> { return list.get<Set>(); });
}

}  // namespace tocsin::notify
