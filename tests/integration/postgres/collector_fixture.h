#pragma once

// A PostgreSQL collector made from the configuration a user would write, and its
// collections made readable.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "collectors/postgres/postgres.h"
#include "daemon/base/clock.h"
#include "daemon/base/config_node.h"
#include "daemon/base/file_system.h"
#include "tests/support/postgres_server.h"

namespace tocsin::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

using LabelMap = std::map<std::string, std::string>;

struct Collection {
  Result<> outcome;
  std::unique_ptr<model::MetricBatch> batch;
  milliseconds took{};

  const model::MetricBatch::Family* Family(std::string_view name) const {
    for (const auto& family : batch->families()) {
      if (family.name == name) return &family;
    }
    return nullptr;
  }

  // The value of the one row that carries `labels` (and perhaps others).
  std::optional<double> Value(std::string_view name, const LabelMap& labels = {}) const {
    std::optional<double> value;
    for (std::size_t i = 0; i < batch->row_count(); ++i) {
      const auto row = batch->row(i);
      if (row.name != name) continue;
      std::size_t matched = 0;
      for (std::uint32_t label = 0; label < row.label_count; ++label) {
        const auto [key, text] = row.label(label);
        const auto wanted = labels.find(std::string(key));
        if (wanted != labels.end() && wanted->second == text) ++matched;
      }
      if (matched != labels.size()) continue;
      EXPECT_FALSE(value.has_value()) << name << " has several rows with these labels";
      value = row.value;
    }
    return value;
  }

  double Sum(std::string_view name, const LabelMap& labels = {}) const {
    double sum = 0;
    for (std::size_t i = 0; i < batch->row_count(); ++i) {
      const auto row = batch->row(i);
      if (row.name != name) continue;
      std::size_t matched = 0;
      for (std::uint32_t label = 0; label < row.label_count; ++label) {
        const auto [key, text] = row.label(label);
        const auto wanted = labels.find(std::string(key));
        if (wanted != labels.end() && wanted->second == text) ++matched;
      }
      if (matched == labels.size()) sum += row.value;
    }
    return sum;
  }

  int Count(std::string_view name) const {
    int count = 0;
    for (std::size_t i = 0; i < batch->row_count(); ++i) count += batch->row(i).name == name;
    return count;
  }

  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (std::size_t i = 0; i < batch->row_count(); ++i) names.emplace(batch->row(i).name);
    return names;
  }

  // Why that part did not answer; empty if it did, "no such part" if there is none.
  std::string FailedPart(std::string_view name) const {
    for (const auto& part : batch->parts()) {
      if (part.name == name) return part.error;
    }
    return "no such part";
  }

  std::string Notes() const {
    std::string text;
    for (const auto& note : batch->notes()) text += note + "\n";
    return text;
  }
};

// The real time, and what a test adds to it between two collections.
class ShiftedClock : public Clock {
 public:
  WallTime WallNow() const override {
    return system_.WallNow() + std::chrono::floor<milliseconds>(shift_);
  }
  SteadyTime SteadyNow() const override { return system_.SteadyNow() + shift_; }
  void Advance(seconds by) { shift_ += by; }

 private:
  SystemClock system_;
  seconds shift_{};
};

class PostgresTarget {
 public:
  // `yaml`: the target's map as in the configuration file.
  explicit PostgresTarget(const std::string& yaml) {
    ConfigErrors errors;
    const auto node = ConfigNode::Parse(yaml, "tocsin.yaml", ConfigNode::Expand::kNothing, errors);
    ConfigReader reader(node, errors);
    parsed_ = collectors::postgres::ParsePostgresTarget(reader, files_);
    reader.Finish();
    errors_ = errors.Text();
    if (!errors.empty()) return;
    auto made = parsed_.make({clock_, files_});
    collector_ = std::move(std::get<std::unique_ptr<collectors::Collector>>(made));
  }

  const std::string& errors() const { return errors_; }
  const collectors::ParsedTarget& parsed() const { return parsed_; }

  // Between two collections.
  void Advance(seconds by) { clock_.Advance(by); }

  Collection Collect(milliseconds timeout = seconds(5), std::stop_token stop = {}) {
    Collection collection;
    collection.batch = std::make_unique<model::MetricBatch>();
    const auto start = clock_.SteadyNow();
    const collectors::CollectContext context{clock_, clock_.WallNow(), start + timeout,
                                             std::move(stop)};
    collection.outcome = collector_->Collect(context, *collection.batch);
    collection.took = std::chrono::ceil<milliseconds>(clock_.SteadyNow() - start);
    return collection;
  }

 private:
  ShiftedClock clock_;
  PosixFileSystem files_;
  std::string errors_;
  collectors::ParsedTarget parsed_;
  std::unique_ptr<collectors::Collector> collector_;
};

// A test with a server of its own, which its SetUp() starts.
class PostgresServerTest : public ::testing::Test {
 protected:
  void Start(const PostgresServerOptions& options = {}) {
    auto started = PostgresServer::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
  }

  void Execute(const std::string& sql, const std::string& database = "postgres") {
    const auto done = server_->Execute(sql, database);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  std::unique_ptr<PostgresServer> server_;
};

inline std::string Yaml(const PostgresServer& server, const std::string& more = {}) {
  return "dsn: \"" + server.Dsn() + "\"\n" + more;
}

}  // namespace tocsin::testing
