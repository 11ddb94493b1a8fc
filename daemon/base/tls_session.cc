#include "daemon/base/tls.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

namespace tocsin {
namespace {

std::string Hex(const unsigned char* bytes, std::size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(size * 2);
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string NameText(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  if (name == nullptr || out == nullptr) return {};
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string DnsNames(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  std::string text;
  if (names == nullptr) return text;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    if (!text.empty()) text += ',';
    text.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  return text;
}

std::string SerialText(X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  return Hex(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial)));
}

std::optional<WallTime> EndOf(const X509* certificate) {
  std::tm expiry{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &expiry) != 1) return std::nullopt;
  return FromUnixMillis(static_cast<std::int64_t>(timegm(&expiry)) * 1000);
}

TlsCertificate Describe(X509* certificate) {
  TlsCertificate described;
  if (const auto end = EndOf(certificate)) described.not_after = *end;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &digest_size) == 1) {
    described.fingerprint_sha256 = Hex(digest, digest_size);
  }
  described.subject = NameText(X509_get_subject_name(certificate));
  described.issuer = NameText(X509_get_issuer_name(certificate));
  described.serial_number = SerialText(certificate);
  described.subject_alternative = DnsNames(certificate);
  return described;
}

std::string VersionText(const SSL* ssl) {
  switch (SSL_version(ssl)) {
    case TLS1_VERSION: return "TLS 1.0";
    case TLS1_1_VERSION: return "TLS 1.1";
    case TLS1_2_VERSION: return "TLS 1.2";
    case TLS1_3_VERSION: return "TLS 1.3";
    default: return "unknown";
  }
}

}  // namespace

TlsSession DescribeTls(const void* ssl_pointer, bool verified) {
  const auto* ssl = static_cast<const SSL*>(ssl_pointer);
  TlsSession session;
  if (ssl == nullptr) return session;
  session.version = VersionText(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl); cipher != nullptr) {
    const char* name = SSL_CIPHER_standard_name(cipher);
    session.cipher = name != nullptr ? name : "";
  }
  const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; sent != nullptr && i < sk_X509_num(sent); ++i) {
    session.certificates.push_back(Describe(sk_X509_value(sent, i)));
  }
  const STACK_OF(X509)* chain = verified ? SSL_get0_verified_chain(ssl) : nullptr;
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const auto end = EndOf(sk_X509_value(chain, i));
    if (end) session.chain_end = std::min(session.chain_end.value_or(*end), *end);
  }
  return session;
}

}  // namespace tocsin
