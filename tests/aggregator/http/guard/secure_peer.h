// A peer that speaks TLS to a front, by OpenSSL as it is and with nothing of ours: it may stop in the middle of its
// greeting, send what it likes, or ask for what it must not get. And a front that speaks TLS.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/certificates.h"

namespace kleptometrics::aggregator::http::guard {

inline Server::Options with(const tests::PemFiles& files, Authorize authorize = {}) {
  Server::Options options;
  options.tls_certificate = files.certificate;
  options.tls_key = files.key;
  options.authorize = std::move(authorize);
  return options;
}

// A front behind a certificate for localhost.
struct SecureFront {
  tests::Authority authority;
  tests::PemFiles files = authority.issue();
  Front front;

  explicit SecureFront(const GuardLimits& limits = {}, std::function<Response(const Request&)> handler = tell,
                       Authorize authorize = {})
      : front(limits, std::move(handler), with(files, std::move(authorize))) {}
};

class SecurePeer {
 public:
  // `version`: 0, or the only one that it speaks, such as TLS1_2_VERSION. `suites`: of TLS 1.2, empty for its default.
  explicit SecurePeer(const Front& front, int version = 0, const char* suites = nullptr)
      : peer_(front.tcp()), context_(::SSL_CTX_new(::TLS_client_method())) {
    ::SSL_CTX_set_security_level(context_.get(), 0);
    ::SSL_CTX_set_options(context_.get(), SSL_OP_LEGACY_SERVER_CONNECT);
    if (version != 0) {
      ::SSL_CTX_set_min_proto_version(context_.get(), version);
      ::SSL_CTX_set_max_proto_version(context_.get(), version);
    }
    if (suites != nullptr) ::SSL_CTX_set_cipher_list(context_.get(), suites);
    ssl_.reset(::SSL_new(context_.get()));
    ::SSL_set_fd(ssl_.get(), peer_.fd());
    ::SSL_set_connect_state(ssl_.get());
  }
  SecurePeer(SecurePeer&&) = default;

  bool greet() { return ::SSL_connect(ssl_.get()) == 1; }
  // The bytes of a greeting, without sending them anywhere.
  static std::string greeting() {
    const std::unique_ptr<SSL_CTX, Free> context(::SSL_CTX_new(::TLS_client_method()));
    const std::unique_ptr<SSL, Free> ssl(::SSL_new(context.get()));
    BIO* out = ::BIO_new(::BIO_s_mem());
    ::SSL_set_bio(ssl.get(), ::BIO_new(::BIO_s_mem()), out);
    ::SSL_connect(ssl.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }

  bool send(std::string_view bytes) {
    return bytes.empty() || ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  Reply reply() {
    Reply out;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
      if (!more()) return out;
    }
    out.head = buffer_.substr(0, end + 4);
    buffer_.erase(0, end + 4);
    const std::size_t length = out.head.find("\r\nContent-Length: ");
    const std::size_t bytes = length == out.head.npos ? 0 : std::stoul(out.head.substr(length + 18));
    while (buffer_.size() < bytes) {
      if (!more()) return out;
    }
    out.body = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    out.status = std::stoi(out.head.substr(9, 3));
    return out;
  }
  Reply ask(std::string_view request) {
    if (!greeted_ && !(greeted_ = greet())) return {};
    send(request);
    return reply();
  }
  // That the other side has said that it is done, not just gone.
  bool was_told_the_end() {
    while (more()) {
    }
    return (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

  SSL* ssl() { return ssl_.get(); }
  Peer& bare() { return peer_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  };
  bool more() {
    char bytes[16384];
    const int n = ::SSL_read(ssl_.get(), bytes, sizeof bytes);
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }

  Peer peer_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string buffer_;
  bool greeted_ = false;
};

}  // namespace kleptometrics::aggregator::http::guard
