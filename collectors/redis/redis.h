#pragma once

// Targets of kind redis: Redis 6 to 8 and Valkey, over TCP, TLS or a unix socket.
// Metric names, types and labels are redis_exporter's 1.88. Only INFO is needed;
// every other command may be refused (ACL, rename-command, managed services) and
// then costs only its own metrics.

#include "collectors/collector.h"

namespace tocsin::collectors::redis {

// Reads
//   url           redis://[user[:password]@]host[:port][/db], rediss://… for TLS,
//                 unix:///path[?db=N]
//   user, password or password_file   which win over those in the url
//   tls           { ca_file, cert_file, key_file, server_name, insecure_skip_verify }
//   key_policies  [ { prefix, max_ttl } ]: see key_audit.h
// Errors go into the reader's list and never quote the url.
ParsedTarget ParseRedisTarget(ConfigReader& reader, FileSystem& files);

// An ACL user with exactly the commands that are used.
extern const KindSetup kSetup;

}  // namespace tocsin::collectors::redis
