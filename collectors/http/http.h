#pragma once

// The kind "http": probes a URL and says whether the answer is what was expected, in
// blackbox_exporter's metrics (probe_*), plus what those lack: counters and a latency
// histogram kept between probes, numbers taken out of a JSON answer, the pool of an
// application, and one label that says why a probe failed.
//
// A failing probe is an answer: the collection succeeds and says probe_success 0 and
// tocsin_probe_failure_info{reason}. Every probe opens a connection of its own.
//
//   url, method, headers, body or body_file, basic_auth, bearer_token, authorization, tls,
//   proxy, no_proxy, proxy_from_environment, proxy_connect_header, http2 (default true),
//   ip_family, follow_redirects (default true), body_size_limit
//   compression: none | gzip | deflate | br     what is asked for; the body is decoded
//   retries: 0                    attempts after a failed one; they share the time-out
//   expect:
//     status: ["2xx", 301]          http_versions: ["1.1", "2"]
//     tls: any | required | forbidden
//     body_regex: […]               each must match
//     body_not_regex: […]           none may match
//     headers: { Name: regex }      each must be there and match
//     headers_if_present: { … }     the same of those that are there
//     headers_not: { Name: regex }  none may match
//     json: { /pointer: value }     each must be equal, or as the value says:
//                                   "!= down", "<= 100", "=~ ^2"
//   extract:
//     - { metric: name, json: /pointer, type: gauge|counter, labels: {…}, scale: 1, help: … }
//     - { pool: sqlalchemy|hikaricp|go_sql|generic, json: /pointer, name: …,
//         capacity: …, max_overflow: … }

#include "collectors/collector.h"

namespace tocsin::collectors::http {

// The default deadline of a probe; longer than other kinds', so that the latency
// histogram can tell slow answers (its last finite bound is 30 s) from none.
inline constexpr Millis kDefaultTimeout = std::chrono::seconds(10);

// Reads one target of the section "http". Errors go to the reader.
ParsedTarget ParseHttpTarget(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::http
