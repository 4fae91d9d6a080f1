#include "lib/tls/context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string_view>

#include "lib/tls/gate.h"

namespace kleptometrics::tls {
namespace {

constexpr char kSuites12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

std::string reason() {
  const char* text = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return text == nullptr ? "no reason is known" : text;
}

int no_passphrase(char*, int, int, void*) { return 0; }

// Null without memory.
SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* made = ::SSL_CTX_new(method);
  if (made == nullptr) return made;
  ::SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(made, kSuites12);
  ::SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Whoever sends records that carry nothing gets a turn for each, as everybody else does.
  ::SSL_CTX_clear_mode(made, SSL_MODE_AUTO_RETRY);
  ::SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  return made;
}

std::string_view text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(::ASN1_STRING_length(text))};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN];
  if (bytes.size() == 4 && ::inet_ntop(AF_INET, bytes.data(), text, sizeof text) != nullptr) return text;
  if (bytes.size() == 16 && ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text) != nullptr)
    return "[" + std::string(text) + "]";
  return {};
}

void add_common_name(X509* certificate, std::vector<std::string>& names) {
  X509_NAME* subject = ::X509_get_subject_name(certificate);
  const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return;
  names.push_back(lower(text_of(::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)))));
}

// Those of the extension for it (RFC 6125); without, the common name, by which OpenSSL's clients then go.
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* listed = static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; listed != nullptr && i < sk_GENERAL_NAME_num(listed); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(listed, i);
    if (name->type == GEN_DNS) names.push_back(lower(text_of(name->d.dNSName)));
    if (name->type == GEN_IPADD) names.push_back(address_text(text_of(name->d.iPAddress)));
  }
  if (listed == nullptr) add_common_name(certificate, names);
  ::GENERAL_NAMES_free(listed);
  names.erase(std::remove(names.begin(), names.end(), std::string()), names.end());
  return names;
}

std::string trouble_with_files(SSL_CTX* context, const std::string& certificate_file, const std::string& key_file) {
  if (::SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return "read the certificate " + certificate_file + ": " + reason();
  if (::SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return "read the key " + key_file + ": " + reason();
  if (::SSL_CTX_check_private_key(context) != 1)
    return "the key " + key_file + " is not that of the certificate " + certificate_file;
  return {};
}

}  // namespace

std::shared_ptr<const Context> Context::client(const std::string& ca_file, std::string* error) {
  prepare();
  const Pass pass;
  SSL_CTX* made = pass ? new_context(::TLS_client_method()) : nullptr;
  if (made == nullptr) {
    *error = pass ? "set up TLS: " + reason() : "the program is exiting";
    return nullptr;
  }
  const std::shared_ptr<const Context> context(new Context(made));
  ::SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
  const bool loaded = ca_file.empty() ? ::SSL_CTX_set_default_verify_paths(made) == 1
                                      : ::SSL_CTX_load_verify_file(made, ca_file.c_str()) == 1;
  if (loaded) return context;
  *error = "read the certificates of " + (ca_file.empty() ? "the system" : ca_file) + ": " + reason();
  return nullptr;
}

std::shared_ptr<const Context> Context::server(const std::string& certificate_file, const std::string& key_file,
                                               std::string* error) {
  SSL_CTX* made = new_context(::TLS_server_method());
  if (made == nullptr) {
    *error = "set up TLS: " + reason();
    return nullptr;
  }
  const std::shared_ptr<Context> context(new Context(made));
  ::SSL_CTX_set_default_passwd_cb(made, no_passphrase);  // nobody is there to be asked
  *error = trouble_with_files(made, certificate_file, key_file);
  if (!error->empty()) return nullptr;
  context->names_ = names_of(::SSL_CTX_get0_certificate(made));
  return context;
}

Context::~Context() {
  const Pass pass;
  if (pass) ::SSL_CTX_free(context_);
}

}  // namespace kleptometrics::tls
