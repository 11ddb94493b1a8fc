#include "daemon/base/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <vector>

#include "daemon/base/base64.h"
#include "daemon/base/text.h"

namespace tocsin {
namespace {

constexpr std::string_view kScheme = "SCRAM-SHA-256$";
constexpr int kIterations = 4096;  // PostgreSQL's own number.
constexpr int kMostIterations = 1'000'000;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kPasswordLetters = 32;

using Bytes = std::vector<unsigned char>;

std::string Encoded(const Bytes& bytes) {
  return EncodeBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Bytes Hmac(const Bytes& key, std::string_view message) {
  Bytes digest(kDigestBytes);
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(),
       &size);
  return digest;
}

Bytes Sha256(const Bytes& bytes) {
  Bytes digest(kDigestBytes);
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return digest;
}

// RFC 5802, section 3: SaltedPassword, then the stored and the server's key.
std::string Verifier(const std::string& password, const Bytes& salt, int iterations) {
  Bytes salted(kDigestBytes);
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                    static_cast<int>(salt.size()), iterations, EVP_sha256(),
                    static_cast<int>(salted.size()), salted.data());
  return std::string(kScheme) + std::to_string(iterations) + ":" + Encoded(salt) + "$" +
         Encoded(Sha256(Hmac(salted, "Client Key"))) + ":" + Encoded(Hmac(salted, "Server Key"));
}

Error NoRandomNumbers() { return {ErrorCode::kInternal, "there are no random numbers"}; }

}  // namespace

Result<std::string> ScramVerifier(const Secret& password) {
  const std::string& text = password.Reveal();
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), printable)) {
    return Error{ErrorCode::kInvalidArgument,
                 "a password must be one line of printable ASCII characters"};
  }
  Bytes salt(kSaltBytes);
  if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) return NoRandomNumbers();
  return Verifier(text, salt, kIterations);
}

bool ScramMatches(std::string_view verifier, const Secret& password) {
  if (!verifier.starts_with(kScheme)) return false;
  std::string_view rest = verifier.substr(kScheme.size());
  const auto colon = rest.find(':');
  const auto dollar = rest.find('$');
  if (colon == rest.npos || dollar == rest.npos || dollar < colon) return false;
  const auto iterations = ParseInt(rest.substr(0, colon));
  if (!iterations || *iterations < 1 || *iterations > kMostIterations) return false;
  const auto salt = DecodeBase64(rest.substr(colon + 1, dollar - colon - 1));
  if (!salt.ok() || salt->empty()) return false;
  return Verifier(password.Reveal(), Bytes(salt->begin(), salt->end()),
                  static_cast<int>(*iterations)) == verifier;
}

bool Md5Matches(std::string_view stored, std::string_view user, const Secret& password) {
  const std::string text = password.Reveal() + std::string(user);
  std::array<char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  return EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()),
                    &size, EVP_md5(), nullptr) == 1 &&
         stored == "md5" + HexText({digest.data(), size});
}

Result<Secret> GeneratePassword() {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string password;
  while (password.size() < kPasswordLetters) {
    std::array<unsigned char, kPasswordLetters> bytes;
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return NoRandomNumbers();
    for (const unsigned char byte : bytes) {
      // The bytes left out would make the first letters more likely than the last.
      constexpr std::size_t kFair = 256 / kLetters.size() * kLetters.size();
      if (byte < kFair && password.size() < kPasswordLetters) {
        password += kLetters[byte % kLetters.size()];
      }
    }
  }
  return Secret(std::move(password));
}

}  // namespace tocsin
