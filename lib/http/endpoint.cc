#include "lib/http/endpoint.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <charconv>

#include "lib/base/places.h"

namespace kleptometrics::http {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";
constexpr std::string_view kDefaultPort = "9461";

bool valid_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

std::optional<Endpoint> unix_endpoint(std::string_view path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
  return Endpoint{std::string(path), {}, true, false};
}

bool take(std::string_view prefix, std::string_view& text) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string Endpoint::host_field() const {
  if (unix_socket) return "localhost";
  const bool literal6 = host.find(':') != std::string::npos;
  return (literal6 ? "[" + host + "]:" : host + ":") + port;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  if (take(kUnix, text)) return unix_endpoint(text);
  const bool tls = take(kHttps, text);
  if (!tls && !take(kHttp, text)) return std::nullopt;
  if (!text.empty() && text.back() == '/') text.remove_suffix(1);
  Endpoint endpoint{{}, std::string(kDefaultPort), false, tls};
  const std::size_t bracket = text.rfind(']');  // [::1]:9461
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    endpoint.port = text.substr(colon + 1);
    if (!valid_port(endpoint.port)) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  endpoint.host = text;
  if (endpoint.host.empty() || endpoint.host.find_first_of("/?#@ \t\r\n") != std::string::npos) return std::nullopt;
  return endpoint;
}

std::string refusal_of(std::string_view text) {
  return "endpoint \"" + std::string(text) + "\" is none of unix:/path, http://host:port and https://host:port";
}

std::string found_endpoint() {
  if (std::string endpoint = places::environment("KLEPTO_ENDPOINT"); !endpoint.empty()) return endpoint;
  if (const std::string socket = places::user_socket(); is_socket(socket)) return "unix:" + socket;
  if (is_socket(places::kSystemSocket)) return std::string("unix:") + places::kSystemSocket;
  return std::string("http://") + places::kDefaultListen;
}

bool is_socket(const std::string& path) {
  struct stat info {};
  return !path.empty() && ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

}  // namespace kleptometrics::http
