#include "daemon/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace tocsin {

void Counter::Add(double amount) { counter_->Increment(amount); }
double Counter::Value() const { return counter_->Value(); }
void Gauge::Set(double value) { gauge_->Set(value); }
void Gauge::Add(double amount) { gauge_->Increment(amount); }
double Gauge::Value() const { return gauge_->Value(); }
void Histogram::Observe(double value) { histogram_->Observe(value); }

MetricRegistry::MetricRegistry()
    : registry_(
          std::make_unique<prometheus::Registry>(prometheus::Registry::InsertBehavior::Merge)) {}
MetricRegistry::~MetricRegistry() = default;

tocsin::Counter MetricRegistry::Counter(const std::string& name, const std::string& help,
                                        const MetricLabels& labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(*registry_);
  return tocsin::Counter(family.Add(labels));
}

tocsin::Gauge MetricRegistry::Gauge(const std::string& name, const std::string& help,
                                    const MetricLabels& labels) {
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(*registry_);
  return tocsin::Gauge(family.Add(labels));
}

tocsin::Histogram MetricRegistry::Histogram(const std::string& name, const std::string& help,
                                            const std::vector<double>& upper_bounds,
                                            const MetricLabels& labels) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_);
  return tocsin::Histogram(family.Add(labels, upper_bounds));
}

std::string MetricRegistry::Text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, registry_->Collect());
  return out.str();
}

}  // namespace tocsin
