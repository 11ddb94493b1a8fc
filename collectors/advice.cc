#include "collectors/advice.h"

#include <algorithm>
#include <variant>

#include "collectors/collector.h"

namespace tocsin::collectors {
namespace {

constexpr std::size_t kMostCheckBytes = 40;

// A version of the server without that command is nobody's mistake.
Severity SeverityOf(const std::string& note) {
  return note.find("nknown command") != note.npos || note.find("nknown subcommand") != note.npos
             ? Severity::kNote
             : Severity::kWarning;
}

// Notes begin with their part: "latency: NOPERM …".
std::string CheckOf(const std::string& note) {
  const auto colon = note.find(": ");
  return colon == note.npos || colon > kMostCheckBytes ? "rights" : note.substr(0, colon);
}

std::string AfterCheck(const std::string& note) {
  const auto colon = note.find(": ");
  return colon == note.npos || colon > kMostCheckBytes ? note : note.substr(colon + 2);
}

}  // namespace

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kError: return "error";
  }
  return "error";
}

Examination ExamineByCollecting(Collector& collector, const CollectContext& context,
                                const Remedy& remedy) {
  Examination examination;
  model::MetricBatch batch;
  examination.reached = collector.Collect(context, batch);
  if (!examination.reached.ok()) {
    const Error& error = examination.reached.error();
    const bool refused = error.code == ErrorCode::kPermissionDenied;
    examination.findings.push_back(
        {Severity::kError, refused ? "login" : "answer", error.message, remedy(error)});
    return examination;
  }
  const auto& notes = batch.notes();
  for (const std::string& note : notes) {
    examination.findings.push_back({SeverityOf(note), CheckOf(note), AfterCheck(note),
                                    remedy({ErrorCode::kUnavailable, note})});
  }
  for (const model::MetricBatch::Part& part : batch.parts()) {
    const bool told = std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
      return note.find(part.error) != note.npos;
    });
    if (part.error.empty() || told) continue;
    examination.findings.push_back(
        {Severity::kWarning, part.name, part.error, remedy({ErrorCode::kUnavailable, part.error})});
  }
  return examination;
}

}  // namespace tocsin::collectors
