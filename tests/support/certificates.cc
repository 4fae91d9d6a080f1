#include "tests/support/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <stdexcept>

namespace kleptometrics::tests {
namespace {

constexpr int kSecondsADay = 24 * 60 * 60;

template <typename T>
T* expect(T* made) {
  if (made == nullptr) throw std::runtime_error("OpenSSL does not make a certificate");
  return made;
}
void expect(int result) {
  if (result <= 0) throw std::runtime_error("OpenSSL does not make a certificate");
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = expect(::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  ::X509_add_ext(certificate, extension, -1);
  ::X509_EXTENSION_free(extension);
}

X509* unsigned_certificate(EVP_PKEY* key, const char* name, int first_day, int last_day) {
  static long serial = 1;
  X509* made = expect(::X509_new());
  ::X509_set_version(made, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made), serial++);
  ::X509_gmtime_adj(::X509_getm_notBefore(made), long{first_day} * kSecondsADay);
  ::X509_gmtime_adj(::X509_getm_notAfter(made), long{last_day} * kSecondsADay);
  ::X509_set_pubkey(made, key);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  return made;
}

// By its owner alone, whatever the mask.
template <typename Write>
void write_file(const std::string& path, Write write) {
  std::FILE* file = expect(std::fopen(path.c_str(), "w"));
  ::chmod(path.c_str(), 0600);
  const int result = write(file);
  std::fclose(file);
  expect(result);
}

std::string alternatives(const Subject& subject) {
  std::string out;
  for (const std::string& name : subject.names) out += ",DNS:" + name;
  for (const std::string& address : subject.addresses) out += ",IP:" + address;
  return out.empty() ? out : out.substr(1);
}

}  // namespace

Authority::Authority() : ca_file_(dir_ / "ca.pem"), key_(expect(EVP_EC_gen("P-256"))) {
  certificate_ = unsigned_certificate(key_, "An authority of a test", -2, 30);
  ::X509_set_issuer_name(certificate_, ::X509_get_subject_name(certificate_));
  extend(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  extend(certificate_, certificate_, NID_key_usage, "critical,keyCertSign");
  expect(::X509_sign(certificate_, key_, ::EVP_sha256()));
  write_file(ca_file_, [&](std::FILE* file) { return ::PEM_write_X509(file, certificate_); });
}

Authority::~Authority() {
  ::X509_free(certificate_);
  ::EVP_PKEY_free(key_);
}

PemFiles Authority::issue(const Subject& subject, const std::string& name) const {
  EVP_PKEY* key = expect(EVP_EC_gen("P-256"));
  X509* made = unsigned_certificate(key, "A certificate of a test", subject.first_day, subject.last_day);
  ::X509_set_issuer_name(made, ::X509_get_subject_name(certificate_));
  if (const std::string all = alternatives(subject); !all.empty())
    extend(made, certificate_, NID_subject_alt_name, all);
  expect(::X509_sign(made, key_, ::EVP_sha256()));
  PemFiles files{dir_ / name + ".pem", dir_ / name + ".key"};
  write_file(files.certificate, [&](std::FILE* file) { return ::PEM_write_X509(file, made); });
  write_file(files.key,
             [&](std::FILE* file) { return ::PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr); });
  ::X509_free(made);
  ::EVP_PKEY_free(key);
  return files;
}

}  // namespace kleptometrics::tests
