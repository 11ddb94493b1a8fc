#pragma once

// What a group wants around it when it is evaluated by hand, moment by moment: nothing is
// ever scheduled, nobody is told, no source is known. For rule tests and replay.

#include <vector>

#include "daemon/base/executor.h"
#include "daemon/model/alert_sink.h"
#include "daemon/model/source_state.h"

namespace tocsin::rules {

class NoLane : public Executor {
 public:
  TaskId Post(Task /*task*/) override { return 0; }
  TaskId RunAt(SteadyTime /*when*/, Task /*task*/) override { return 0; }
  bool Cancel(TaskId /*id*/) override { return false; }
};

class NoSink : public model::AlertSink {
 public:
  Result<> Accept(std::vector<model::Alert> /*alerts*/) override { return {}; }
};

class NoSources : public model::SourceStates {
 public:
  std::vector<model::SourceState> Snapshot() const override { return {}; }
};

}  // namespace tocsin::rules
