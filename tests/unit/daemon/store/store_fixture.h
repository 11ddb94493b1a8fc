#pragma once

// A store in a temporary folder, in virtual time.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/file_system.h"
#include "daemon/store/store.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"
#include "tests/support/store_model.h"

namespace tocsin::store {

inline constexpr model::TimeRange kAlways{std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max()};

class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "store_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    config_.path = folder_;
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Open() {
    store_.reset();
    metrics_ = std::make_unique<MetricRegistry>();
    auto opened = Store::Open(config_, clock_, executors_, files_, *metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
  }

  std::int64_t Now() const { return ToUnixMillis(clock_.WallNow()); }
  void Pass(Millis span) { executors_.RunFor(span); }

  // Commits one sample, resolving the series each time.
  model::CommitOutcome Put(const model::Labels& labels, std::int64_t time_ms, double value) {
    const auto ref = store_->Resolve(labels);
    EXPECT_TRUE(ref.ok()) << ref.error().message;
    const std::vector<model::SeriesSample> samples = {{&*ref, time_ms, value}};
    const auto outcome = store_->Commit({}, samples);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return outcome.ok() ? *outcome : model::CommitOutcome{};
  }

  static model::Matcher Match(model::MatchOp op, std::string name, std::string value) {
    auto matcher = model::Matcher::Make(op, std::move(name), std::move(value));
    EXPECT_TRUE(matcher.ok());
    return std::move(matcher).value();
  }

  std::string MetricText(const std::string& name) const {
    const std::string text = metrics_->Text();
    const auto at = text.find("\n" + name + " ");
    if (at == text.npos) return "absent";
    const auto start = at + name.size() + 2;
    return text.substr(start, text.find('\n', start) - start);
  }

  testing::SimClock clock_;
  testing::SimExecutors executors_{clock_};
  PosixFileSystem files_;
  std::string folder_;
  StoreConfig config_;
  std::unique_ptr<MetricRegistry> metrics_;
  std::unique_ptr<Store> store_;
};

}  // namespace tocsin::store
