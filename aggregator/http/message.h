// A request and a response as the handlers know them. The HTTP library stays behind server.cc: no other
// file includes it, so it can be replaced, and the handlers are functions that a test calls directly.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kleptometrics::aggregator::http {

// Who is at the other end of the connection, as far as the system knows: a process of this machine that connected to
// the Unix socket. Good while the request is answered.
struct Peer {
  std::uint32_t pid = 0;  // in our pid namespace; 0: by TCP, or its namespace is not within ours
  // A new descriptor of its process (pidfd_open(2)), whatever namespace that lives in; -1 by TCP, and before
  // kernel 6.5.
  std::function<int()> open_pidfd{};
};

struct Request {
  std::string method;                                      // upper case
  std::string path;                                        // percent-decoded, begins with '/', without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string content_type;                                // media type alone, lower case: `application/json`
  std::string accept;                                      // the header, lower case
  std::string body;
  std::map<std::string, std::string, std::less<>> path_parameters;  // by the router: {job}, {id}
  Peer peer;
};

// What an answer of 400 and above says (RFC 9457).
struct Problem {
  int status = 500;
  std::string title, detail;
  std::string field;  // at fault; may be empty
};

// Why a request is turned away unread: it shows no key that opens what it asks for.
struct Denial {
  int status = 401;       // or 403
  std::string detail;     // one sentence
  std::string challenge;  // of the field WWW-Authenticate
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<Problem> problem;  // where the body is one: so that it can be told in another form
};

}  // namespace kleptometrics::aggregator::http
