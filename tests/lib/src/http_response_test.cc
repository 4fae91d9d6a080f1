#include "lib/src/http_response.h"

#include <string>
#include <string_view>

#include "tests/support/catch.h"

using kleptometrics::internal::HttpProgress;
using kleptometrics::internal::HttpResponse;
using kleptometrics::internal::read_response;

namespace {

HttpResponse whole(std::string_view bytes, bool closed = false) {
  HttpResponse response;
  CHECK(read_response(bytes, closed, &response) == HttpProgress::kDone);
  return response;
}

bool bad(std::string_view bytes, bool closed = false) {
  HttpResponse response;
  return read_response(bytes, closed, &response) == HttpProgress::kBad;
}

}  // namespace

TEST_CASE("A response is done with its last byte and not before") {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t size = 0; size < text.size(); ++size) {
    HttpResponse response;
    INFO(size);
    CHECK(read_response(text.substr(0, size), false, &response) == HttpProgress::kMore);
    CHECK(read_response(text.substr(0, size), true, &response) == HttpProgress::kBad);
  }
  const HttpResponse response = whole(text);
  CHECK(response.status == 200);
  CHECK(response.body == "hello");
  CHECK(response.keeps_alive);
}

TEST_CASE("A chunked response is put together") {
  const HttpResponse response =
      whole("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n");
  CHECK(response.body == "hello world");
  CHECK_FALSE(response.keeps_alive);
}

TEST_CASE("A response without a length ends with its connection") {
  const std::string text = "HTTP/1.0 503 Busy\r\n\r\nlater";
  HttpResponse response;
  CHECK(read_response(text, false, &response) == HttpProgress::kMore);
  response = whole(text, true);
  CHECK(response.status == 503);
  CHECK(response.body == "later");
  CHECK_FALSE(response.keeps_alive);
}

TEST_CASE("Interim responses are passed over, and `close` is heard") {
  const HttpResponse response =
      whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  CHECK(response.status == 413);
  CHECK_FALSE(response.keeps_alive);
}

TEST_CASE("What is no HTTP response, or too large, is refused") {
  CHECK(bad("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
  CHECK(bad("HTTP/1.1 20\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"));
  CHECK(bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  CHECK(bad(std::string(20'000, 'x')));
  CHECK(bad("", true));
}
