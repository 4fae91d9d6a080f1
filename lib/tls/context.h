// What all connections of one side share: certificates and how strict to be. TLS 1.2 and 1.3 alone, and of 1.2 only the
// suites with forward secrecy and authenticated encryption. Made once, by either side; never changes.
#pragma once

#include <memory>
#include <string>
#include <vector>

extern "C" {
struct ssl_ctx_st;
}

namespace kleptometrics::tls {

// Any thread, several at once.
class Context {
 public:
  // A client's, which takes no certificate that it cannot verify: by the certificates of `ca_file` (PEM) alone, or, if
  // that is empty, by the system's. Null, and a sentence in `error`, where the file cannot be read.
  static std::shared_ptr<const Context> client(const std::string& ca_file, std::string* error);

  // A server's: its certificate with those between it and the root (PEM, its own first), and the key of it (PEM,
  // without a passphrase). Null, and a sentence in `error` that names the file, where they are no good.
  static std::shared_ptr<const Context> server(const std::string& certificate_file, const std::string& key_file,
                                               std::string* error);

  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Of a server: whom its certificate is for, in lower case, as a Host header names them: DNS names, `*.example.org` as
  // it stands, IP addresses.
  const std::vector<std::string>& names() const { return names_; }

  ssl_ctx_st* get() const { return context_; }

 private:
  explicit Context(ssl_ctx_st* context) : context_(context) {}

  ssl_ctx_st* context_;
  std::vector<std::string> names_;
};

}  // namespace kleptometrics::tls
