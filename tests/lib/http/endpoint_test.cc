#include "lib/http/endpoint.h"

#include <cstdlib>
#include <string>

#include "tests/support/catch.h"

using kleptometrics::http::found_endpoint;
using kleptometrics::http::parse_endpoint;

namespace {

// Host and port, or `refused`.
std::string read(const std::string& text) {
  const auto endpoint = parse_endpoint(text);
  if (!endpoint) return "refused";
  if (endpoint->unix_socket) return "unix " + endpoint->host;
  return (endpoint->tls ? "tls " : "") + endpoint->host + " " + endpoint->port;
}

}  // namespace

TEST_CASE("Endpoints are read in every form that is documented") {
  CHECK(read("unix:/run/k.sock") == "unix /run/k.sock");
  CHECK(read("http://127.0.0.1:80") == "127.0.0.1 80");
  CHECK(read("http://127.0.0.1:80/") == "127.0.0.1 80");
  CHECK(read("http://host.example") == "host.example 9461");
  CHECK(read("http://[::1]:81") == "::1 81");
  CHECK(read("http://[::1]") == "::1 9461");
  CHECK(read("https://host.example") == "tls host.example 9461");
  CHECK(read("https://[::1]:443/") == "tls ::1 443");
}

TEST_CASE("What is no endpoint is refused") {
  for (const std::string text :
       {"", "unix:", "/run/k.sock", "ftp://host", "https:host", "https://", "https://h/p", "http://", "http://:80", "http://host:0", "http://host:65536",
        "http://host:8x", "http://host/path", "http://a b", "http://a\r\nb"}) {
    INFO(text);
    CHECK(read(text) == "refused");
  }
  CHECK(read("unix:/" + std::string(200, 'x')) == "refused");
}

TEST_CASE("The field Host is that of the endpoint") {
  CHECK(parse_endpoint("unix:/k")->host_field() == "localhost");
  CHECK(parse_endpoint("http://a:1")->host_field() == "a:1");
  CHECK(parse_endpoint("http://[::1]:1")->host_field() == "[::1]:1");
}

TEST_CASE("The environment names the endpoint before anything that is found") {
  ::setenv("KLEPTO_ENDPOINT", "unix:/named", 1);
  CHECK(found_endpoint() == "unix:/named");
  ::unsetenv("KLEPTO_ENDPOINT");
  ::setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
  CHECK(found_endpoint() != "unix:/nowhere/kleptometrics/kleptometrics.sock");
}
