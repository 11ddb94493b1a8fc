// Digests of text, and bytes as text (text.h).

#include <openssl/evp.h>

#include <array>

#include "daemon/base/check.h"
#include "daemon/base/text.h"

namespace tocsin {

std::string HexText(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string Sha256Hex(std::string_view bytes) {
  std::array<char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  TOCSIN_CHECK(EVP_Digest(bytes.data(), bytes.size(),
                          reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                          nullptr) == 1);
  return HexText({digest.data(), size});
}

std::uint64_t Md5Low64(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  TOCSIN_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) ==
               1);
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < 16; ++i) number = number << 8 | digest[i];
  return number;
}

}  // namespace tocsin
