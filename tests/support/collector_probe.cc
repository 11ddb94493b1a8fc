#include "tests/support/collector_probe.h"

#include <gtest/gtest.h>

#include <utility>

namespace tocsin::testing {

CollectorProbe::CollectorProbe(Parse parse, std::string_view yaml) {
  ConfigErrors errors;
  ConfigReader reader(ConfigNode::Parse(yaml, "test.yaml", ConfigNode::Expand::kNothing, errors),
                      errors);
  target_ = parse(reader, files_);
  reader.Finish();
  EXPECT_TRUE(errors.empty()) << errors.Text();
  collector_ = std::get<std::unique_ptr<collectors::Collector>>(target_.make({clock_, files_}));
}

Result<> CollectorProbe::Collect(std::chrono::milliseconds timeout, std::stop_token stop) {
  batch_.Clear();
  SteadyTime started = clock_.SteadyNow();
  auto collected =
      collector_->Collect({clock_, clock_.WallNow(), started + timeout, std::move(stop)}, batch_);
  took_ = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.SteadyNow() - started);
  return collected;
}

}  // namespace tocsin::testing
