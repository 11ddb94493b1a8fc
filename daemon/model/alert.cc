#include "daemon/model/alert.h"

namespace tocsin::model {

Severity SeverityOf(const Labels& labels) {
  const std::string_view severity = labels.Get("severity");
  if (severity == "critical") return Severity::kCritical;
  if (severity == "warning") return Severity::kWarning;
  return Severity::kNone;
}

}  // namespace tocsin::model
