#pragma once

// Where the rules hand alerts to notify.

#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/alert.h"

namespace tocsin::model {

// Thread-safe.
class AlertSink {
 public:
  virtual ~AlertSink() = default;

  // Takes all transitions and repeats of one evaluation as one batch, so that
  // inhibition sees a critical alert and its warning together. On OK the batch is
  // on disk: the sender may forget it.
  // Errors: kIoError: nothing was taken, send the batch again.
  virtual Result<> Accept(std::vector<Alert> alerts) = 0;
};

}  // namespace tocsin::model
