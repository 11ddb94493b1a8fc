#pragma once

// The daemon's own numbers, over prometheus-cpp's Registry. Each room declares
// its own in a *_metrics.h: a struct of the handles below, made once from the
// MetricRegistry that app owns. Names start with tocsin_ and follow
// https://prometheus.io/docs/practices/naming/. Handles are cheap to copy, stay
// valid as long as the registry, and are thread-safe.

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace tocsin {

using MetricLabels = std::map<std::string, std::string>;

class Counter {
 public:
  void Add(double amount = 1);  // Requires: amount >= 0.
  double Value() const;

 private:
  friend class MetricRegistry;
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  void Set(double value);
  void Add(double amount);
  double Value() const;

 private:
  friend class MetricRegistry;
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  void Observe(double value);

 private:
  friend class MetricRegistry;
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  prometheus::Histogram* histogram_;
};

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();

  // Asking again for the same name and labels returns the same metric.
  tocsin::Counter Counter(const std::string& name, const std::string& help,
                          const MetricLabels& labels = {});
  tocsin::Gauge Gauge(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {});
  tocsin::Histogram Histogram(const std::string& name, const std::string& help,
                              const std::vector<double>& upper_bounds,
                              const MetricLabels& labels = {});

  // Prometheus' text format 0.0.4.
  std::string Text() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace tocsin
