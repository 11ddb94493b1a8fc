#pragma once

// The kind "tcp": connects to a port, holds a short conversation if one is configured,
// and says in blackbox_exporter's metrics (probe_*) whether it went as expected, with
// the same counters, histogram and reason as the kind "http". A failing probe is an
// answer. Every probe opens a connection of its own.
//
//   url: tcp://host:port, tls://host:port for TLS from the first byte, unix:///path
//   tls, ip_family, retries       as those of "http"
//   query_response:               steps, one after the other
//     - expect: regex             reads lines until one matches
//       expect_bytes: text        or: the next bytes must be these
//       labels: { name: value }   of probe_expect_info; one step may have them
//       send: text                followed by a line feed
//       starttls: true            then TLS from here on
//   After `expect`, `send` and the labels' values may hold what it captured: $1, ${1},
//   $name (a file says ${name} as $${name}: without the first $ it is a variable of the
//   environment).

#include "collectors/collector.h"

namespace tocsin::collectors::http {

// Reads one target of the section "tcp". Errors go to the reader.
ParsedTarget ParseTcpTarget(ConfigReader& reader, FileSystem& files);

}  // namespace tocsin::collectors::http
