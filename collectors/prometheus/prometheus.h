#pragma once

// The kind "prometheus": scrapes a page in Prometheus' text format or OpenMetrics and
// passes its samples on, within limits. A page that does not answer, answers another
// status than 200, or is broken anywhere, fails the whole scrape.
//
//   url, headers, basic_auth, bearer_token, tls, proxy, ip_family, follow_redirects
//   honor_labels (default false), honor_timestamps (default true)
//   sample_limit, label_limit, label_name_length_limit, label_value_length_limit (0: none),
//     after relabelling; the target's labels and the name count too, as in Prometheus
//   body_size_limit (default 64MiB, after decompression)
//   metric_relabel_configs: rules as in Prometheus, which see and may change the
//     target's own labels

#include "collectors/collector.h"

namespace tocsin::collectors::prometheus {

inline constexpr Millis kDefaultTimeout = std::chrono::seconds(5);

// Reads one target of the section "prometheus". Errors go to the reader.
ParsedTarget ParsePrometheusTarget(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::prometheus
