#include "daemon/api/authorization.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <memory>

#include "daemon/base/base64.h"
#include "daemon/base/text.h"

namespace tocsin::api {
namespace {

bool SameBytes(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Authorization::Authorization(const ApiConfig& config) : users_(config.basic_auth_users) {
  if (!config.bearer_token.empty()) bearer_digest_ = Sha256Hex(config.bearer_token.Reveal());
}

bool Authorization::Allows(const std::string& header) {
  if (users_.empty() && bearer_digest_.empty()) return true;
  if (header.starts_with("Bearer ")) {
    return !bearer_digest_.empty() && SameBytes(Sha256Hex(header.substr(7)), bearer_digest_);
  }
  if (!header.starts_with("Basic ")) return false;
  const auto pair = DecodeBase64(header.substr(6));
  if (!pair.ok()) return false;
  const std::size_t colon = pair->find(':');
  return colon != pair->npos && PasswordFits(pair->substr(0, colon), pair->substr(colon + 1));
}

bool Authorization::PasswordFits(const std::string& user, const std::string& password) {
  for (const auto& [name, hash] : users_) {
    if (name != user) continue;
    const std::string digest = Sha256Hex(user + '\0' + password + '\0' + hash.Reveal());
    {
      MutexLock lock(mutex_);
      if (known_good_.count(digest)) return true;
    }
    auto scratch = std::make_unique<crypt_data>();
    const char* computed = crypt_r(password.c_str(), hash.Reveal().c_str(), scratch.get());
    if (!computed || !SameBytes(computed, hash.Reveal())) return false;
    MutexLock lock(mutex_);
    if (known_good_.size() >= kMaxRemembered) known_good_.clear();
    known_good_.insert(digest);
    return true;
  }
  return false;
}

}  // namespace tocsin::api
