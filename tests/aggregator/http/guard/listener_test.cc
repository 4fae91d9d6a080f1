#include "aggregator/http/guard/listener.h"

#include <fcntl.h>

#include <fstream>
#include <string>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

std::string error_of(const absl::StatusOr<Listener>& listener) { return std::string(listener.status().message()); }

bool exists(const std::string& path) {
  struct stat ignored {};
  return ::lstat(path.c_str(), &ignored) == 0;
}

}  // namespace

TEST_CASE("Port 0 becomes a free port, and the address in use is an error that names it") {
  const auto first = Listener::tcp("127.0.0.1:0");
  REQUIRE(first.ok());
  CHECK(first->address() != "127.0.0.1:0");
  CHECK(Peer::tcp(first->address()).connected());
  const auto second = Listener::tcp(first->address());
  CHECK(error_of(second) == "listen on " + first->address() + ": address already in use");
}

TEST_CASE("A listening socket is closed on exec and does not block") {
  const auto listener = Listener::tcp("localhost:0");
  REQUIRE(listener.ok());
  CHECK(listener->host() == "localhost");
  CHECK((::fcntl(listener->fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(listener->fd(), F_GETFL) & O_NONBLOCK) != 0);
  int reuse_port = -1;
  socklen_t size = sizeof reuse_port;
  REQUIRE(::getsockopt(listener->fd(), SOL_SOCKET, SO_REUSEPORT, &reuse_port, &size) == 0);
  CHECK(reuse_port == 0);
}

TEST_CASE("IPv6 loopback is written in brackets") {
  const auto listener = Listener::tcp("[::1]:0");
  if (!listener.ok() && !absl::IsInvalidArgument(listener.status())) return;  // a machine without IPv6
  REQUIRE(listener.ok());
  CHECK(listener->address().substr(0, 6) == "[::1]:");
  CHECK(listener->host() == "[::1]");
}

TEST_CASE("Addresses beyond loopback are refused with the reason") {
  for (const char* address :
       {"0.0.0.0:9461", "10.0.0.1:0", "192.168.1.1:80", "[::]:9461", "[2001:db8::1]:1", "[::ffff:127.0.0.1]:1"}) {
    const auto listener = Listener::tcp(address);
    CHECK(absl::IsInvalidArgument(listener.status()));
    CHECK(error_of(listener) ==
          "listen on " + std::string(address) +
              ": beyond loopback needs API keys (--api_key_file) and TLS (--tls_certificate, --tls_key)");
  }
}

TEST_CASE("What is no address and port is refused") {
  for (const char* address :
       {"127.0.0.1", ":9461", "9461", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1: 1",
        "127.0.0.1:999999", "::1:9461", "[::1:9461", "example.org:80", "127.0.0.1.2:80", "[]:80"}) {
    CAPTURE(address);
    CHECK(absl::IsInvalidArgument(Listener::tcp(address).status()));
  }
}

TEST_CASE("A socket file has the permissions asked for and goes with its listener") {
  const TemporaryFolder folder;
  {
    const auto listener = Listener::unix_socket(folder.file(), 0600);
    REQUIRE(listener.ok());
    struct stat made {};
    REQUIRE(::lstat(folder.file().c_str(), &made) == 0);
    CHECK((made.st_mode & 0777U) == 0600U);
    CHECK(Peer::local(folder.file()).connected());
  }
  CHECK_FALSE(exists(folder.file()));
}

TEST_CASE("A socket file that another process serves is left alone") {
  const TemporaryFolder folder;
  const auto first = Listener::unix_socket(folder.file(), 0600);
  REQUIRE(first.ok());
  const auto second = Listener::unix_socket(folder.file(), 0600);
  CHECK(absl::IsAlreadyExists(second.status()));
  CHECK(error_of(second) == "listen on " + folder.file() + ": another process serves this socket");
  CHECK(Peer::local(folder.file()).connected());
}

TEST_CASE("A socket file that nobody serves any more is replaced") {
  const TemporaryFolder folder;
  const std::string saved = folder.file() + "2";
  {
    const auto gone = Listener::unix_socket(folder.file(), 0600);
    REQUIRE(gone.ok());
    REQUIRE(::rename(folder.file().c_str(), saved.c_str()) == 0);
  }
  REQUIRE(::rename(saved.c_str(), folder.file().c_str()) == 0);
  const auto listener = Listener::unix_socket(folder.file(), 0600);
  REQUIRE(listener.ok());
  CHECK(Peer::local(folder.file()).connected());
}

TEST_CASE("A file that is no socket is never removed") {
  const TemporaryFolder folder;
  std::ofstream(folder.file()) << "data";
  CHECK(absl::IsFailedPrecondition(Listener::unix_socket(folder.file(), 0600).status()));
  REQUIRE(exists(folder.file()));
  ::unlink(folder.file().c_str());
  REQUIRE(::symlink("/nowhere", folder.file().c_str()) == 0);
  CHECK(absl::IsFailedPrecondition(Listener::unix_socket(folder.file(), 0600).status()));
  CHECK(exists(folder.file()));
}

TEST_CASE("A socket file that is another's by now stays when the listener closes") {
  const TemporaryFolder folder;
  auto first = Listener::unix_socket(folder.file(), 0600);
  REQUIRE(first.ok());
  const std::string aside = folder.file() + "2";
  REQUIRE(::rename(folder.file().c_str(), aside.c_str()) == 0);
  const auto second = Listener::unix_socket(folder.file(), 0600);
  REQUIRE(second.ok());
  first->close();
  CHECK(exists(folder.file()));
  ::unlink(aside.c_str());
}

TEST_CASE("Paths that cannot be a socket's are refused") {
  CHECK(absl::IsInvalidArgument(Listener::unix_socket("", 0600).status()));
  CHECK(absl::IsInvalidArgument(Listener::unix_socket("/tmp/" + std::string(200, 'a'), 0600).status()));
  CHECK(absl::IsNotFound(Listener::unix_socket("/tmp/no-such-folder-here/s", 0600).status()));
}

}  // namespace kleptometrics::aggregator::http::guard
