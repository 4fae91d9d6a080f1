// The connection is kept from one push to the next. What an endpoint may look like, and how it is spoken to, is the
// matter of lib/http.
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "aggregator/forward/transport.h"
#include "lib/http/connection.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::chrono::seconds kConnectTime(3);
constexpr std::chrono::seconds kAnswerTime(30);  // from the first byte sent to the last byte received
constexpr std::size_t kAnswerBytesMax = 16U << 20U;

class HttpTransport final : public Transport {
 public:
  HttpTransport(http::Endpoint endpoint, const std::string& api_key, const std::string& ca_file)
      : connection_(std::move(endpoint), ca_file) {
    head_ = "POST /api/v1/runs HTTP/1.1\r\nHost: " + connection_.endpoint().host_field() +
            "\r\nUser-Agent: kleptometricsd\r\nContent-Type: application/x-protobuf\r\n";
    if (!api_key.empty()) head_ += "Authorization: Bearer " + api_key + "\r\n";
  }

  Reply post(std::string body) override {
    const std::string request = head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    Reply reply;
    // A kept connection may have been closed by the peer meanwhile; a push may safely be sent twice.
    if (connection_.is_open() && exchange(request, reply)) return reply;
    const http::Deadline deadline = std::chrono::steady_clock::now() + kAnswerTime;
    if (connection_.open(kConnectTime, deadline, &reply.error)) exchange(request, reply);
    return reply;
  }

 private:
  bool exchange(const std::string& request, Reply& reply) {
    http::Response response;
    const http::Deadline deadline = std::chrono::steady_clock::now() + kAnswerTime;
    if (!connection_.exchange(request, deadline, kAnswerBytesMax, &response, &reply.error)) return false;
    reply = {response.status, std::move(response.content_type), std::move(response.body), {}};
    return true;
  }

  std::string head_;
  http::Connection connection_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> make_http_transport(const Centre& centre) {
  std::optional<http::Endpoint> endpoint = http::parse_endpoint(centre.url);
  if (!endpoint) return absl::InvalidArgumentError(http::refusal_of(centre.url));
  if (centre.api_key.find_first_of("\r\n") != std::string::npos)
    return absl::InvalidArgumentError("the API key has a line break");
  return std::make_unique<HttpTransport>(*std::move(endpoint), centre.api_key, centre.ca_file);
}

}  // namespace kleptometrics::aggregator
