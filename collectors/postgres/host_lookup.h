#pragma once

// Host names to addresses, bounded. libpq asks the resolver while it connects,
// and a resolver that never answers would hold it beyond any deadline.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collectors/collector.h"

namespace tocsin::collectors::postgres {

// Whether `host` needs no lookup: a literal address or a folder of sockets.
bool IsLiteralHost(const std::string& host);

// At most one lookup of a name is under way; one that hangs is waited for again
// by the next call instead of starting another. Not thread-safe.
class HostLookup {
 public:
  HostLookup();
  ~HostLookup();  // Does not wait for a lookup under way.

  // The addresses of `host`, in the resolver's order. Errors: kUnavailable with
  // the resolver's words, kDeadlineExceeded at `until`, kCancelled.
  Result<std::vector<std::string>> Resolve(const std::string& host, SteadyTime until,
                                           const CollectContext& context);

 private:
  struct Lookup;
  std::map<std::string, std::shared_ptr<Lookup>> pending_;  // By name.
};

}  // namespace tocsin::collectors::postgres
