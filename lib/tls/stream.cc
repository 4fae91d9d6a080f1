#include "lib/tls/stream.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "lib/tls/gate.h"
#include "lib/tls/hello.h"

namespace kleptometrics::tls {

// The socket as OpenSSL's connections see it. OpenSSL's own way to write to one raises SIGPIPE.
struct Stream::Wire {
  int socket = -1;
  int error = 0;  // errno of the last call that failed
  bool ended = false;
  char first[kHelloBytes] = {};
  std::size_t first_bytes = 0;
  std::size_t first_given = 0;

  int read(BIO* bio, char* into, int bytes) {
    ::BIO_clear_retry_flags(bio);
    if (first_given < first_bytes) {
      const std::size_t given = std::min(first_bytes - first_given, static_cast<std::size_t>(bytes));
      std::memcpy(into, first + first_given, given);
      first_given += given;
      return static_cast<int>(given);
    }
    const int got = retried([&] { return ::recv(socket, into, static_cast<std::size_t>(bytes), 0); });
    if (got == 0) ended = true;
    if (got < 0 && error == EAGAIN) ::BIO_set_retry_read(bio);
    return got;
  }
  int write(BIO* bio, const char* from, int bytes) {
    ::BIO_clear_retry_flags(bio);
    const int sent = retried([&] { return ::send(socket, from, static_cast<std::size_t>(bytes), MSG_NOSIGNAL); });
    if (sent < 0 && error == EAGAIN) ::BIO_set_retry_write(bio);
    return sent;
  }

 private:
  template <typename Call>
  int retried(Call call) {
    for (;;) {
      const ssize_t result = call();
      if (result >= 0) return static_cast<int>(result);
      if (errno == EINTR) continue;
      error = errno;
      return -1;
    }
  }
};

namespace {

// Stream::Wire is private; the callbacks get it as it is.
template <typename Wire>
BIO_METHOD* new_method() {
  BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kleptometrics socket");
  if (made == nullptr) return made;
  ::BIO_meth_set_read(made, [](BIO* bio, char* into, int bytes) {
    return static_cast<Wire*>(::BIO_get_data(bio))->read(bio, into, bytes);
  });
  ::BIO_meth_set_write(made, [](BIO* bio, const char* from, int bytes) {
    return static_cast<Wire*>(::BIO_get_data(bio))->write(bio, from, bytes);
  });
  ::BIO_meth_set_ctrl(made, [](BIO* bio, int command, long, void*) -> long {
    if (command == BIO_CTRL_EOF) return static_cast<Wire*>(::BIO_get_data(bio))->ended ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  });
  return made;
}

// Never freed. Not a guarded static, whose guard could be held where the program forks.
template <typename Wire>
BIO_METHOD* wire_method() {
  static std::atomic<BIO_METHOD*> method{nullptr};
  if (BIO_METHOD* there = method.load()) return there;
  BIO_METHOD* made = new_method<Wire>();
  BIO_METHOD* nothing = nullptr;
  if (method.compare_exchange_strong(nothing, made)) return made;
  ::BIO_meth_free(made);
  return nothing;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool expect_host(SSL* ssl, const std::string& host) {
  if (is_address(host)) return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) == 1;
  ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return ::SSL_set1_host(ssl, host.c_str()) == 1 && ::SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

Stream::Stream(ssl_st* ssl, std::unique_ptr<Wire> wire) : ssl_(ssl), wire_(std::move(wire)) {}

std::unique_ptr<Stream> Stream::make(const Context& context, int socket, std::string_view first) {
  auto wire = std::make_unique<Wire>();
  wire->socket = socket;
  wire->first_bytes = first.copy(wire->first, sizeof wire->first);
  BIO_METHOD* method = wire_method<Wire>();
  BIO* bio = method == nullptr ? nullptr : ::BIO_new(method);
  SSL* ssl = bio == nullptr ? nullptr : ::SSL_new(context.get());
  if (ssl == nullptr) {
    ::BIO_free(bio);
    return nullptr;
  }
  ::BIO_set_data(bio, wire.get());
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl, bio, bio);
  return std::unique_ptr<Stream>(new Stream(ssl, std::move(wire)));
}

std::unique_ptr<Stream> Stream::to(const Context& context, int socket, const std::string& host) {
  const Pass pass;
  auto stream = pass ? make(context, socket, {}) : nullptr;
  if (stream == nullptr || !expect_host(stream->ssl_, host)) return nullptr;
  ::SSL_set_connect_state(stream->ssl_);
  return stream;
}

std::unique_ptr<Stream> Stream::from(const Context& context, int socket, std::string_view first) {
  auto stream = make(context, socket, first);
  if (stream != nullptr) ::SSL_set_accept_state(stream->ssl_);
  return stream;
}

Stream::~Stream() {
  const Pass pass;
  if (pass) {
    ::SSL_free(ssl_);
  } else {
    static_cast<void>(wire_.release());  // still known to it, which is left alone
  }
}

Progress Stream::handshake() {
  const Pass pass;
  if (!pass) return {};
  ::ERR_clear_error();
  return done(::SSL_do_handshake(ssl_), 0);
}

Progress Stream::read(char* into, std::size_t bytes) {
  const Pass pass;
  if (!pass) return {};
  ::ERR_clear_error();
  std::size_t got = 0;
  const int result = ::SSL_read_ex(ssl_, into, bytes, &got);
  return done(result, got);
}

Progress Stream::write(const char* from, std::size_t bytes) {
  const Pass pass;
  if (!pass) return {};
  ::ERR_clear_error();
  std::size_t sent = 0;
  const int result = ::SSL_write_ex(ssl_, from, bytes, &sent);
  return done(result, sent);
}

void Stream::finish() {
  const Pass pass;
  if (!pass) return;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_);
  ::ERR_clear_error();
}

Progress Stream::done(int result, std::size_t bytes) {
  if (result == 1) return {Status::kDone, bytes};
  switch (const int kind = ::SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {Status::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Status::kWantWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Status::kClosed, 0};
    default:
      explain(kind);
      ::ERR_clear_error();
      return {};
  }
}

void Stream::explain(int kind) {
  const long verdict = ::SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    error_ = std::string("its certificate is refused: ") + ::X509_verify_cert_error_string(verdict);
  } else if (kind == SSL_ERROR_SYSCALL && wire_->error != 0 && !wire_->ended) {
    error_ = std::strerror(wire_->error);
  } else if (wire_->ended) {
    error_ = "the connection was closed in the middle";
  } else {
    const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
    error_ = std::string("TLS: ") + (reason == nullptr ? "no reason is known" : reason);
  }
}

}  // namespace kleptometrics::tls
