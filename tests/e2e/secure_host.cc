// A program that reports over TLS, uses OpenSSL itself, and ends at a moment that it is told:
//
//   secure_host WHEN MICROSECONDS RUNS
//
// WHEN it sets OpenSSL up, whose cleanup then is due at exit: never, before the library, between two clients of it
// (plain, then https), or after; or `fork`, where a child that inherits its client reports, too. MICROSECONDS: how long
// the end waits for delivery.
#include <kleptometrics/kleptometrics.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

namespace {

void set_up_openssl() {
  ::OPENSSL_init_ssl(0, nullptr);
  ::EVP_MD_free(::EVP_MD_fetch(nullptr, "SHA256", nullptr));
}

kleptometrics::ClientOptions options(int microseconds) {
  kleptometrics::ClientOptions made;
  made.flush_timeout = std::chrono::microseconds(microseconds);
  return made;
}

void record(kleptometrics::Client& client, int runs) {
  for (int i = 0; i < runs; ++i) kleptometrics::Run run(client, "ends");
}

int in_child(int microseconds, int runs) {
  const pid_t child = ::fork();
  if (child == 0) {
    // Never destroyed: seen off at exit.
    record(*new kleptometrics::Client(options(microseconds)), runs);
    std::exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  const std::string when = words[1];
  const int microseconds = std::atoi(words[2]);
  const int runs = std::atoi(words[3]);
  if (when == "before") set_up_openssl();
  if (when == "between") {
    kleptometrics::ClientOptions plain = options(microseconds);
    plain.endpoint = "unix:/nowhere";
    record(*new kleptometrics::Client(plain), 0);
    set_up_openssl();
  }
  auto* client = new kleptometrics::Client(options(microseconds));
  record(*client, runs);
  if (when == "after") set_up_openssl();
  const int failed = when == "fork" ? in_child(microseconds, runs) : 0;
  std::exit(failed == 0 ? 0 : 1);
}
