// Two streams that talk to each other over a pair of sockets, turn by turn.
#include "lib/tls/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/certificates.h"

namespace kleptometrics::tls {
namespace {

using tests::Authority;
using tests::PemFiles;
using tests::Subject;

struct Pair {
  int sockets[2] = {-1, -1};
  std::string error;
  std::shared_ptr<const Context> client_context, server_context;
  std::unique_ptr<Stream> client, server;

  Pair(const std::string& ca_file, const PemFiles& files, const std::string& host)
      : client_context(Context::client(ca_file, &error)),
        server_context(Context::server(files.certificate, files.key, &error)) {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) == 0);
    REQUIRE((client_context != nullptr && server_context != nullptr));
    client = Stream::to(*client_context, sockets[0], host);
    server = Stream::from(*server_context, sockets[1], {});
    REQUIRE((client != nullptr && server != nullptr));
  }
  ~Pair() {
    for (const int socket : sockets) ::close(socket);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  // What came of it for the client.
  Status greet() {
    Status mine = Status::kWantRead;
    for (int turns = 0; turns < 20 && mine != Status::kDone && mine != Status::kFailed; ++turns) {
      mine = client->handshake().status;
      server->handshake();
    }
    return mine;
  }
};

// Past records that carry nothing, such as tickets for a next connection.
Status read_a_byte(Stream& stream) {
  char byte = 0;
  Status status = Status::kWantRead;
  for (int turns = 0; turns < 5 && status == Status::kWantRead; ++turns) status = stream.read(&byte, 1).status;
  return status;
}

// Whether a client that trusts the authority agrees with such a server.
std::string verdict(const Authority& authority, const Subject& subject, const std::string& host) {
  Pair pair(authority.ca_file(), authority.issue(subject), host);
  return pair.greet() == Status::kDone ? "agreed" : pair.client->error();
}

TEST_CASE("A certificate must be for the host that is meant, whether a name or an address") {
  const Authority authority;
  const Subject subject{{"klepto.example", "*.fleet.example"}, {"10.0.0.1", "2001:db8::1"}, -1, 2};
  for (const char* host : {"klepto.example", "KLEPTO.example", "a.fleet.example", "10.0.0.1", "2001:db8::1"})
    CHECK(verdict(authority, subject, host) == "agreed");
  for (const char* host : {"other.example", "fleet.example", "a.b.fleet.example", "localhost"})
    CHECK(verdict(authority, subject, host) == "its certificate is refused: hostname mismatch");
  for (const char* host : {"10.0.0.2", "2001:db8::2"})
    CHECK(verdict(authority, subject, host) == "its certificate is refused: IP address mismatch");
}

TEST_CASE("A certificate that is over, not yet good, or of an authority that is not trusted is refused") {
  const Authority authority;
  const Authority other;
  CHECK(verdict(authority, {{"localhost"}, {}, -3, -1}, "localhost").find("has expired") != std::string::npos);
  CHECK(verdict(authority, {{"localhost"}, {}, 1, 3}, "localhost").find("not yet valid") != std::string::npos);
  Pair pair(other.ca_file(), authority.issue(), "localhost");
  CHECK(pair.greet() == Status::kFailed);
  CHECK(pair.client->error().find("its certificate is refused: ") == 0);
  Pair by_system("", authority.issue(), "localhost");
  CHECK(by_system.greet() == Status::kFailed);
}

TEST_CASE("Bytes pass both ways, as many at a time as go, and the end is told from a cut") {
  const Authority authority;
  Pair pair(authority.ca_file(), authority.issue(), "localhost");
  REQUIRE(pair.greet() == Status::kDone);
  const std::string sent(3U << 20U, 'x');
  std::string received;
  for (std::size_t at = 0; received.size() < sent.size();) {
    if (at < sent.size()) {
      const Progress wrote = pair.client->write(sent.data() + at, sent.size() - at);
      at += wrote.bytes;
      REQUIRE((wrote.status == Status::kDone || wrote.status == Status::kWantWrite));
    }
    char buffer[20'000];
    const Progress read = pair.server->read(buffer, sizeof buffer);
    REQUIRE((read.status == Status::kDone || read.status == Status::kWantRead));
    received.append(buffer, read.bytes);
  }
  CHECK(received == sent);
  pair.client->finish();
  CHECK(read_a_byte(*pair.server) == Status::kClosed);
  CHECK(pair.server->write("y", 1).status == Status::kDone);
  CHECK(read_a_byte(*pair.client) == Status::kDone);
  ::shutdown(pair.sockets[1], SHUT_RDWR);
  CHECK(read_a_byte(*pair.client) == Status::kFailed);
  CHECK(pair.client->error() == "the connection was closed in the middle");
}

TEST_CASE("Writing to a peer that is gone fails and raises no signal") {
  ::signal(SIGPIPE, SIG_DFL);
  const Authority authority;
  Pair pair(authority.ca_file(), authority.issue(), "localhost");
  REQUIRE(pair.greet() == Status::kDone);
  ::close(pair.sockets[1]);
  pair.sockets[1] = -1;
  CHECK(pair.client->write("x", 1).status == Status::kFailed);
  CHECK(pair.client->write("x", 1).status == Status::kFailed);
  pair.client->finish();
}

TEST_CASE("What was read from the socket before counts as its first bytes") {
  const Authority authority;
  Pair pair(authority.ca_file(), authority.issue(), "localhost");
  CHECK(pair.client->handshake().status == Status::kWantRead);
  char first[9];
  REQUIRE(::recv(pair.sockets[1], first, sizeof first, 0) == sizeof first);
  pair.server = Stream::from(*pair.server_context, pair.sockets[1], {first, sizeof first});
  CHECK(pair.greet() == Status::kDone);
}

}  // namespace
}  // namespace kleptometrics::tls
