#pragma once

// Who may ask: HTTP basic authentication against bcrypt hashes, or a bearer token.
// Thread-safe.

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/api_config.h"
#include "daemon/base/mutex.h"

namespace tocsin::api {

class Authorization {
 public:
  explicit Authorization(const ApiConfig& config);

  // `header` is the value of Authorization, empty if there is none.
  bool Allows(const std::string& header);

 private:
  bool PasswordFits(const std::string& user, const std::string& password);

  static constexpr std::size_t kMaxRemembered = 256;

  std::vector<std::pair<std::string, Secret>> users_;
  std::string bearer_digest_;  // Empty: no token.
  Mutex mutex_;
  // Digests of credentials that were right: bcrypt takes tens of milliseconds,
  // too long for every request.
  std::set<std::string> known_good_ GUARDED_BY(mutex_);
};

}  // namespace tocsin::api
