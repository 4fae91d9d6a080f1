// Reads an HTTP/1.1 response (RFC 9112) from the bytes that came so far. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kleptometrics::http {

struct Response {
  int status = 0;
  std::string content_type;  // media type alone, lower case: `application/json`; empty: not said
  std::string body;
  bool keeps_alive = true;  // the connection may be used again
};

enum class Progress {
  kMore,  // the response is not complete yet
  kDone,
  kBad,  // it is no HTTP response, or larger than allowed
};

// `bytes`: all that came since the request was sent; interim responses (1xx) in front are passed over. `closed`: the
// peer has closed the connection, nothing more will come. A body of more than `body_bytes_max` is bad.
Progress read_response(std::string_view bytes, bool closed, std::size_t body_bytes_max, Response* out);

}  // namespace kleptometrics::http
