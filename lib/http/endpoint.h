// Where an aggregator is: found on this machine, or read from a text. The client library, which reports to it, and the
// query library, which asks it, go by the same rules. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kleptometrics::http {

struct Endpoint {
  std::string host;  // or the path of a Unix socket
  std::string port;
  bool unix_socket = false;
  bool tls = false;

  // As the field `Host` of a request wants it.
  std::string host_field() const;
};

// `unix:/path`, or `http://host:port` or `https://host:port` with or without the port and a '/' at its end; IPv6 as
// `http://[::1]:9461`. nullopt for anything else.
std::optional<Endpoint> parse_endpoint(std::string_view text);

// Why parse_endpoint() refused it: a sentence.
std::string refusal_of(std::string_view text);

// KLEPTO_ENDPOINT; else the user's socket if it exists, else the system's, else http://127.0.0.1:9461.
std::string found_endpoint();

// True if there is a socket of this name; whether anyone listens is another matter.
bool is_socket(const std::string& path);

}  // namespace kleptometrics::http
