// Reads an HTTP/1.1 response (RFC 9112) from the bytes that came so far. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kleptometrics::internal {

struct HttpResponse {
  int status = 0;
  std::string body;
  bool keeps_alive = true;  // the connection may be used again
};

enum class HttpProgress {
  kMore,  // the response is not complete yet
  kDone,
  kBad,  // it is no HTTP response, or larger than any that we expect
};

// `bytes`: all that came since the request was sent; interim responses (1xx) in front are passed over. `closed`: the
// peer has closed the connection, nothing more will come.
HttpProgress read_response(std::string_view bytes, bool closed, HttpResponse* out);

}  // namespace kleptometrics::internal
