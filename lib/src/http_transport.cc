// The only file of the client library that includes the HTTP library.
#include "lib/src/transport.h"

#include <httplib.h>
#include <sys/socket.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace kleptometrics::internal {
namespace {

constexpr time_t kConnectSeconds = 1;
constexpr time_t kAnswerSeconds = 5;
constexpr int kDefaultPort = 9461;

struct Address {
  std::string host;  // or the path of a Unix socket
  int port = kDefaultPort;
  bool unix_socket = false;
};

std::optional<Address> parse(std::string_view endpoint) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://";
  Address address;
  if (endpoint.substr(0, kUnix.size()) == kUnix) {
    address.host = endpoint.substr(kUnix.size());
    address.unix_socket = true;
    return address.host.empty() ? std::nullopt : std::optional(address);
  }
  if (endpoint.substr(0, kHttp.size()) != kHttp) return std::nullopt;
  endpoint.remove_prefix(kHttp.size());
  if (!endpoint.empty() && endpoint.back() == '/') endpoint.remove_suffix(1);
  const std::size_t bracket = endpoint.rfind(']');  // [::1]:9461
  const std::size_t colon = endpoint.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view port = endpoint.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size() || address.port < 1 || address.port > 65535)
      return std::nullopt;
    endpoint = endpoint.substr(0, colon);
  }
  if (endpoint.size() > 2 && endpoint.front() == '[' && endpoint.back() == ']')
    endpoint = endpoint.substr(1, endpoint.size() - 2);
  address.host = endpoint;
  if (address.host.empty() || address.host.find('/') != std::string::npos) return std::nullopt;
  return address;
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(const Address& address, const std::string& api_key) : client_(address.host, address.port) {
    if (address.unix_socket) {
      client_.set_address_family(AF_UNIX);
      headers_.emplace("Host", "localhost");
    }
    if (!api_key.empty()) headers_.emplace("Authorization", "Bearer " + api_key);
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
    client_.set_connection_timeout(kConnectSeconds);
    client_.set_read_timeout(kAnswerSeconds);
    client_.set_write_timeout(kAnswerSeconds);
  }

  Reply push(const std::string& body) override {
    const httplib::Result result = client_.Post("/api/v1/runs", headers_, body, "application/x-protobuf");
    if (!result) return {0, {}, httplib::to_string(result.error())};
    return {result->status, result->body, {}};
  }

 private:
  httplib::Client client_;
  httplib::Headers headers_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(const std::string& endpoint, const std::string& api_key,
                                               std::string* error) {
  const std::optional<Address> address = parse(endpoint);
  if (!address) {
    *error = "endpoint \"" + endpoint + "\" is neither unix:/path nor http://host:port";
    return nullptr;
  }
  return std::make_unique<HttpTransport>(*address, api_key);
}

}  // namespace kleptometrics::internal
