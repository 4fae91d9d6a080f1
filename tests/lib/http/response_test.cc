#include "lib/http/response.h"

#include <string>
#include <string_view>

#include "tests/support/catch.h"

using kleptometrics::http::Progress;
using kleptometrics::http::read_response;
using kleptometrics::http::Response;

namespace {

constexpr std::size_t kBodyBytesMax = 4U << 20U;

Response whole(std::string_view bytes, bool closed = false) {
  Response response;
  CHECK(read_response(bytes, closed, kBodyBytesMax, &response) == Progress::kDone);
  return response;
}

bool bad(std::string_view bytes, bool closed = false) {
  Response response;
  return read_response(bytes, closed, kBodyBytesMax, &response) == Progress::kBad;
}

}  // namespace

TEST_CASE("A response is done with its last byte and not before") {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t size = 0; size < text.size(); ++size) {
    Response response;
    INFO(size);
    CHECK(read_response(text.substr(0, size), false, kBodyBytesMax, &response) == Progress::kMore);
    CHECK(read_response(text.substr(0, size), true, kBodyBytesMax, &response) == Progress::kBad);
  }
  const Response response = whole(text);
  CHECK(response.status == 200);
  CHECK(response.body == "hello");
  CHECK(response.content_type == "a/b");
  CHECK(response.keeps_alive);
}

TEST_CASE("The media type is told without its parameters, in lower case") {
  CHECK(whole("HTTP/1.1 200 OK\r\ncontent-type: Application/JSON ; charset=utf-8\r\nContent-Length: 0\r\n\r\n")
            .content_type == "application/json");
  CHECK(whole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").content_type.empty());
}

TEST_CASE("A body may have as many bytes as allowed and no more, however it is framed") {
  for (const std::string head : {"Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n", "\r\n"}) {
    const std::string text = "HTTP/1.1 200 OK\r\n" + head + "hello" + (head.size() > 30 ? "\r\n0\r\n\r\n" : "");
    INFO(text);
    Response response;
    CHECK(read_response(text, true, 5, &response) == Progress::kDone);
    CHECK(response.body == "hello");
    CHECK(read_response(text, true, 4, &response) == Progress::kBad);
  }
}

TEST_CASE("A chunked response is put together") {
  const Response response =
      whole("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n");
  CHECK(response.body == "hello world");
  CHECK_FALSE(response.keeps_alive);
}

TEST_CASE("A response without a length ends with its connection") {
  const std::string text = "HTTP/1.0 503 Busy\r\n\r\nlater";
  Response response;
  CHECK(read_response(text, false, kBodyBytesMax, &response) == Progress::kMore);
  response = whole(text, true);
  CHECK(response.status == 503);
  CHECK(response.body == "later");
  CHECK_FALSE(response.keeps_alive);
}

TEST_CASE("Interim responses are passed over, and `close` is heard") {
  const Response response =
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
