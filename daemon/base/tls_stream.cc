#include <fmt/format.h>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <climits>
#include <string>
#include <utility>

#include "daemon/base/stream.h"
#include "daemon/base/text.h"
#include "daemon/base/tls.h"

namespace tocsin {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using ContextOwner = std::unique_ptr<SSL_CTX, ContextDeleter>;
using SslOwner = std::unique_ptr<SSL, SslDeleter>;

// What OpenSSL's error queue says, its first reason; empties the queue.
std::string LastReason() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Error TlsError(std::string_view what) {
  return {ErrorCode::kUnavailable, fmt::format("TLS: {}: {}", what, LastReason())};
}

// 0 is OpenSSL's word for its own choice.
int ProtocolVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kDefault: return 0;
    case TlsVersion::k10: return TLS1_VERSION;
    case TlsVersion::k11: return TLS1_1_VERSION;
    case TlsVersion::k12: return TLS1_2_VERSION;
    case TlsVersion::k13: return TLS1_3_VERSION;
  }
  return 0;
}

Result<ContextOwner> MakeContext(const TlsOptions& options) {
  ContextOwner context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return TlsError("no context");
  // Of itself nothing older than TLS 1.2, unless that is what is asked for.
  const bool is_old =
      options.max_version == TlsVersion::k10 || options.max_version == TlsVersion::k11;
  const TlsVersion otherwise = is_old ? options.max_version : TlsVersion::k12;
  SSL_CTX_set_min_proto_version(
      context.get(),
      ProtocolVersion(options.min_version == TlsVersion::kDefault ? otherwise
                                                                  : options.min_version));
  SSL_CTX_set_max_proto_version(context.get(), ProtocolVersion(options.max_version));
  SSL_CTX_set_verify(context.get(),
                     options.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (options.insecure_skip_verify) {
    // Nothing is checked against them, and reading the system's takes a while.
  } else if (!options.ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
      return TlsError("cannot read " + options.ca_file);
    }
  } else if (SSL_CTX_set_default_verify_paths(context.get()) != 1) {
    return TlsError("no system certificates");
  }
  if (!options.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), options.cert_file.c_str()) != 1) {
      return TlsError("cannot read " + options.cert_file);
    }
    const std::string& key = options.key_file.empty() ? options.cert_file : options.key_file;
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return TlsError("cannot use " + key);
    }
  }
  return context;
}

// OpenSSL works on memory, and the bytes travel through the stream below, which knows
// deadlines and never raises SIGPIPE.
class TlsStream : public Stream {
 public:
  TlsStream(std::unique_ptr<Stream> under, ContextOwner context, SslOwner ssl, bool verified)
      : under_(std::move(under)),
        context_(std::move(context)),
        ssl_(std::move(ssl)),
        verified_(verified) {}

  Result<> ShakeHands(const Deadline& deadline) {
    while (true) {
      ERR_clear_error();
      int done = SSL_do_handshake(ssl_.get());
      int error = SSL_get_error(ssl_.get(), done);
      Error failure = done == 1 ? Error{} : HandshakeError();
      TOCSIN_RETURN_IF_ERROR(SendPending(deadline));  // A refusal is sent as an alert, too.
      if (done == 1) return {};
      if (error != SSL_ERROR_WANT_READ) return failure;
      TOCSIN_ASSIGN_OR_RETURN(bool more, Receive(deadline));
      if (!more) {
        return Error{ErrorCode::kUnavailable, "TLS: the peer closed during the handshake"};
      }
    }
  }

  Result<std::size_t> Read(char* buffer, std::size_t size, const Deadline& deadline) override {
    while (true) {
      ERR_clear_error();
      std::size_t count = 0;
      int done = SSL_read_ex(ssl_.get(), buffer, size, &count);
      if (done == 1) return count;
      int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      if (error != SSL_ERROR_WANT_READ) return TlsError("cannot read");
      TOCSIN_RETURN_IF_ERROR(SendPending(deadline));
      TOCSIN_ASSIGN_OR_RETURN(bool more, Receive(deadline));
      if (!more) return std::size_t{0};
    }
  }

  Result<> Write(std::string_view bytes, const Deadline& deadline) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count) != 1) {
        return TlsError("cannot write");
      }
      bytes.remove_prefix(count);
      TOCSIN_RETURN_IF_ERROR(SendPending(deadline));
    }
    return {};
  }

  bool HasInput() const override { return SSL_pending(ssl_.get()) > 0 || under_->HasInput(); }
  TlsSession Tls() const override { return DescribeTls(ssl_.get(), verified_); }

 private:
  Error HandshakeError() const {
    long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) {
      ERR_clear_error();
      return {ErrorCode::kUnavailable, fmt::format("TLS: certificate not accepted: {}",
                                                   X509_verify_cert_error_string(verified))};
    }
    return TlsError("handshake failed");
  }

  Result<> SendPending(const Deadline& deadline) {
    std::array<char, 16 << 10> chunk;
    BIO* outgoing = SSL_get_wbio(ssl_.get());
    int count = 0;
    while ((count = BIO_read(outgoing, chunk.data(), static_cast<int>(chunk.size()))) > 0) {
      TOCSIN_RETURN_IF_ERROR(
          under_->Write({chunk.data(), static_cast<std::size_t>(count)}, deadline));
    }
    return {};
  }

  // Feeds what the peer sent to OpenSSL; false once the peer has closed.
  Result<bool> Receive(const Deadline& deadline) {
    std::array<char, 16 << 10> chunk;
    TOCSIN_ASSIGN_OR_RETURN(std::size_t count, under_->Read(chunk.data(), chunk.size(), deadline));
    if (count == 0) return false;
    int taken = BIO_write(SSL_get_rbio(ssl_.get()), chunk.data(), static_cast<int>(count));
    if (taken != static_cast<int>(count)) return TlsError("out of memory");
    return true;
  }

  std::unique_ptr<Stream> under_;
  ContextOwner context_;
  SslOwner ssl_;
  bool verified_;
};

}  // namespace

Result<std::unique_ptr<Stream>> StartTls(std::unique_ptr<Stream> under, const TlsOptions& options,
                                         const std::string& host, const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(ContextOwner context, MakeContext(options));
  SslOwner ssl(SSL_new(context.get()));
  if (ssl == nullptr) return TlsError("no session");
  const std::string& name = options.server_name.empty() ? host : options.server_name;
  if (IsIpAddress(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str());
  } else {
    SSL_set1_host(ssl.get(), name.c_str());
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  }
  BIO* incoming = BIO_new(BIO_s_mem());
  BIO* outgoing = BIO_new(BIO_s_mem());
  if (incoming == nullptr || outgoing == nullptr) {
    BIO_free(incoming);
    BIO_free(outgoing);
    return TlsError("out of memory");
  }
  SSL_set_bio(ssl.get(), incoming, outgoing);
  SSL_set_connect_state(ssl.get());
  auto stream = std::make_unique<TlsStream>(std::move(under), std::move(context), std::move(ssl),
                                            !options.insecure_skip_verify);
  TOCSIN_RETURN_IF_ERROR(stream->ShakeHands(deadline));
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace tocsin
