// An authority of a test's own, and the certificates that it gives out: made in memory, written as PEM files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

extern "C" {
struct evp_pkey_st;
struct x509_st;
}

namespace kleptometrics::tests {

// Whom a certificate is for, and when it is good, in days from now.
struct Subject {
  std::vector<std::string> names = {"localhost"};  // DNS
  std::vector<std::string> addresses = {"127.0.0.1"};
  int first_day = -1;
  int last_day = 2;
};

struct PemFiles {
  std::string certificate, key;
};

// Throws where OpenSSL will not.
class Authority {
 public:
  Authority();
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // The file by which it is trusted.
  const std::string& ca_file() const { return ca_file_; }

  // Files by these names in its folder, again if they are there. The key is its owner's alone.
  PemFiles issue(const Subject& subject = {}, const std::string& name = "server") const;

 private:
  TempDir dir_;
  std::string ca_file_;
  evp_pkey_st* key_;
  x509_st* certificate_;
};

}  // namespace kleptometrics::tests
