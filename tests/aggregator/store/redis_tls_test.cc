// The store over TLS, to a server that the test gives a certificate.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <iostream>

#include "aggregator/base/unique_fd.h"
#include "tests/aggregator/store/fixture.h"
#include "tests/support/certificates.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using tests::Authority;
using tests::RedisServer;

// Nobody's at the moment.
std::string free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return std::to_string(::ntohs(address.sin_port));
}

struct SecureServer {
  explicit SecureServer(const Authority& authority, const tests::Subject& subject = {})
      : files(authority.issue(subject)),
        port(free_port()),
        server({"--tls-port", port, "--tls-cert-file", files.certificate, "--tls-key-file", files.key,
                "--tls-ca-cert-file", authority.ca_file(), "--tls-auth-clients", "no", "--requirepass", "s3cret"}) {}
  std::string url(const std::string& host, const std::string& ca_file) const {
    return "rediss://:s3cret@" + host + ":" + port + "/0?prefix=test:" + (ca_file.empty() ? "" : "&ca_file=" + ca_file);
  }
  const tests::PemFiles files;
  const std::string port;
  RedisServer server;
};

bool skipped() {
  if (!RedisServer::program().empty()) return false;
  std::cout << "SKIPPED: no redis-server\n";
  return true;
}

TEST_CASE("a store works over TLS, large commits and answers included") {
  if (skipped()) return;
  const Authority authority;
  const SecureServer secure(authority);
  for (const char* const host : {"localhost", "127.0.0.1"}) {
    const auto store = must(open_store(secure.url(host, authority.ca_file())));
    std::vector<Run> runs;
    for (std::uint32_t i = 0; i < 5000; ++i) {
      runs.push_back(finished(started("import", i, kStart + seconds(i)), seconds(i % 50)));
      runs.back().program = std::string(1000, 'x');
    }
    REQUIRE(store->commit(runs, 0).ok());
    std::size_t found = 0;
    REQUIRE(store->scan({}, [&](const Run&) { ++found; }).ok());
    REQUIRE(found == runs.size());
  }
}

TEST_CASE("a server whose certificate is another's, or not to be verified, is not spoken to") {
  if (skipped()) return;
  const Authority authority;
  const Authority stranger;
  const SecureServer secure(authority);
  const SecureServer other(authority, {.names = {"elsewhere.example"}, .addresses = {}});
  for (const std::string& url :
       {secure.url("localhost", stranger.ca_file()), secure.url("localhost", ""),
        other.url("localhost", authority.ca_file()), "redis://:s3cret@localhost:" + secure.port + "/0"}) {
    const absl::Status status = open_store(url).status();
    CAPTURE(url, status);
    CHECK(absl::IsUnavailable(status));
    CHECK(status.message().find("s3cret") == absl::string_view::npos);
  }
  const absl::Status missing = open_store(secure.url("localhost", "/nowhere.pem")).status();
  CHECK(absl::IsInvalidArgument(missing));
  CHECK(missing.message().find("/nowhere.pem") != absl::string_view::npos);
}

}  // namespace
}  // namespace kleptometrics::aggregator
