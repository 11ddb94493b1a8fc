#pragma once

// Whether an answer is what a target is expected to answer.

#include <string>

#include "collectors/http/json_document.h"
#include "collectors/http/probe_config.h"
#include "collectors/http/probe_metrics.h"

namespace tocsin::collectors::http {

struct Judgement {
  ProbeVerdict verdict;
  std::string explanation;  // For people; empty when all is well.
};

// Judges an exchange; the first expectation that is not met, in the order of
// FailureReason, is the verdict. `json` is the body, if it is JSON.
Judgement Judge(const HttpExchange& exchange, const std::optional<JsonDocument>& json,
                const Expectations& expect);

}  // namespace tocsin::collectors::http
