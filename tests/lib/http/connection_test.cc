#include "lib/http/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/fakes/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::http {
namespace {

using fakes::Peer;
using std::chrono::milliseconds;

constexpr std::size_t kBodyBytesMax = 1000;
constexpr const char* kRequest = "GET / HTTP/1.1\r\n\r\n";

Deadline in(milliseconds time) { return std::chrono::steady_clock::now() + time; }

// What became of one exchange.
struct Exchange {
  Connection connection;
  Response response;
  std::string error;
  bool opened, answered;

  explicit Exchange(const std::string& endpoint, milliseconds time = milliseconds(5000))
      : connection(*parse_endpoint(endpoint)),
        opened(connection.open(time, in(time), &error)),
        answered(opened && connection.exchange(kRequest, in(time), kBodyBytesMax, &response, &error)) {}
};

TEST_CASE("A request is answered, and the connection stays open for the next unless its peer ends it") {
  const Peer keeps("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Peer::After::kHang);
  const Exchange kept(keeps.endpoint());
  REQUIRE(kept.answered);
  CHECK(kept.response.body == "ok");
  CHECK(kept.error.empty());
  CHECK(kept.connection.is_open());
  const Peer ends("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  const Exchange ended(ends.endpoint());
  REQUIRE(ended.answered);
  CHECK_FALSE(ended.connection.is_open());
}

TEST_CASE("Where nobody listens the error names the place") {
  const Exchange at_socket("unix:/nowhere/at.sock");
  CHECK_FALSE(at_socket.opened);
  CHECK(at_socket.error == "connect to /nowhere/at.sock: No such file or directory");
  const Exchange at_port("http://127.0.0.1:1");
  CHECK_FALSE(at_port.opened);
  CHECK(at_port.error == "connect to 127.0.0.1: Connection refused");
}

TEST_CASE("A peer that does not finish is given up at the deadline, one that closes at once") {
  const Peer slow("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", Peer::After::kHang);
  const Exchange waited(slow.endpoint(), milliseconds(50));
  CHECK_FALSE(waited.answered);
  CHECK(waited.error.find("Connection timed out") != std::string::npos);
  CHECK_FALSE(waited.connection.is_open());
  const Peer cut("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");
  CHECK(Exchange(cut.endpoint()).error.find("the answer is cut") != std::string::npos);
  const Peer silent("");
  CHECK(Exchange(silent.endpoint()).error.find("Connection reset by peer") != std::string::npos);
}

// A port at which connections are taken and nothing is ever said.
struct SilentPort {
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};

  SilentPort() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket, 8) == 0);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  }
  ~SilentPort() { ::close(socket); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  std::string endpoint() const { return "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port)); }
};

TEST_CASE("A peer that does not greet is given up at the deadline, and one that speaks no TLS at once") {
  const SilentPort silent;
  const Exchange waited(silent.endpoint(), milliseconds(50));
  CHECK_FALSE(waited.opened);
  CHECK(waited.error == "connect to 127.0.0.1: Connection timed out");
  CHECK_FALSE(waited.connection.is_open());
  const SilentPort plain;
  std::thread speaker([&] {
    const int peer = ::accept(plain.socket, nullptr, nullptr);
    ::send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
    ::close(peer);
  });
  const Exchange refused(plain.endpoint());
  speaker.join();
  CHECK_FALSE(refused.opened);
  CHECK(refused.error.find("connect to 127.0.0.1: ") == 0);
}

TEST_CASE("An answer larger than allowed is refused") {
  const Peer large("HTTP/1.1 200 OK\r\n\r\n" + std::string(kBodyBytesMax + 1, 'x'));
  CHECK_FALSE(Exchange(large.endpoint()).answered);
}

}  // namespace
}  // namespace kleptometrics::http
