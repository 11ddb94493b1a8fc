#pragma once

// The proof of a drop-in: an exporter as Debian packages it runs beside a collector
// of ours on the same server, and their pages are held against each other, family by
// family. A page of the exporter is read before our collection and one after it:
// nothing on the first may be missing, types and names of labels are the same, and
// each number of ours lies between the two of the exporter, so that what stands still
// is equal and a counter is no further than it can have come.
//
// Where the two differ on purpose, the test lists the family and the reason.

#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/model/metric_batch.h"
#include "tests/support/process.h"

namespace tocsin::testing {

// One GET over HTTP/1.0 to 127.0.0.1; the body, empty if nobody answers.
std::string GetPage(int port, std::string_view path);

// A page by families and series. A label with an empty value is one that is not there.
struct ExporterPage {
  struct Series {
    std::string family;
    std::string sample;  // The family's name, or with _bucket, _sum, _count.
    std::map<std::string, std::string> labels;
    double value = 0;
  };
  std::map<std::string, model::MetricType> types;           // Per family that has a series.
  std::map<std::string, std::set<std::string>> label_sets;  // Per family: "db,user".
  std::map<std::string, Series> series;                     // By `name{a="b",…}`.
};

ExporterPage PageOf(const model::MetricBatch& batch);

// A packaged exporter that listens on a port of its own. Not thread-safe.
class PackagedExporter {
 public:
  // `name` is the program's ("prometheus-redis-exporter"), `arguments` are all but the
  // address to listen on. Returns when it answers.
  // Errors: kNotFound if it is not installed, kUnavailable with its own words.
  static Result<std::unique_ptr<PackagedExporter>> Start(
      const std::string& name, std::vector<std::string> arguments,
      std::vector<std::pair<std::string, std::string>> environment = {});

  int port() const { return port_; }
  pid_t pid() const { return process_->pid(); }
  // Fails the test if the page cannot be read.
  ExporterPage Scrape(std::string_view path = "/metrics") const;

 private:
  PackagedExporter() = default;

  TemporaryFolder folder_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

// A family that may differ, in what, and why. What is not listed must be the same.
struct Difference {
  enum class In {
    kValues,  // The numbers, by no more than `share` of the exporter's.
    kSeries,  // Series may be missing and numbers differ; names of labels must be the same.
    kLabels,  // Ours may have labels that the exporter's lack.
    kType,    // The type only.
    kFamily,  // The family may be missing.
  };
  std::string_view family;  // A trailing * stands for any end.
  std::string_view why;
  In in = In::kValues;
  double share = std::numeric_limits<double>::infinity();
};

struct ComparedPages {
  const ExporterPage& before;
  const ExporterPage& ours;
  const ExporterPage& after;
};

// What is wrong, one line each; empty if ours can stand in for the exporter. Only
// families that begin with `prefix` count. A listed difference that no family of the
// exporter bears is reported too.
std::vector<std::string> CompareWithExporter(const ComparedPages& pages, std::string_view prefix,
                                             std::span<const Difference> differences);

// The complaints as lines, for EXPECT_EQ(…, "").
std::string Lines(const std::vector<std::string>& complaints);

}  // namespace tocsin::testing
