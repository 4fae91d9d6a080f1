// What an endpoint may look like, and how it is spoken to, is the matter of lib/http.
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "aggregator/forward/transport.h"
#include "lib/http/pusher.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::chrono::seconds kConnectTime(3);
constexpr std::chrono::seconds kAnswerTime(30);
constexpr std::size_t kAnswerBytesMax = 16U << 20U;

class HttpTransport final : public Transport {
 public:
  HttpTransport(http::Endpoint endpoint, http::Pusher::Options options)
      : pusher_(std::move(endpoint), std::move(options)) {}

  Reply post(std::string body) override {
    Reply reply;
    http::Response response;
    if (!pusher_.post(body, &response, &reply.error)) return reply;
    return {response.status, std::move(response.content_type), std::move(response.body), {}};
  }

 private:
  http::Pusher pusher_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> make_http_transport(const Centre& centre) {
  std::optional<http::Endpoint> endpoint = http::parse_endpoint(centre.url);
  if (!endpoint) return absl::InvalidArgumentError(http::refusal_of(centre.url));
  if (centre.api_key.find_first_of("\r\n") != std::string::npos)
    return absl::InvalidArgumentError("the API key has a line break");
  http::Pusher::Options options{"kleptometricsd", centre.api_key, centre.ca_file, kConnectTime};
  options.connect_time_in_all = options.answer_time = kAnswerTime;
  options.answer_bytes_max = kAnswerBytesMax;
  return std::make_unique<HttpTransport>(*std::move(endpoint), std::move(options));
}

}  // namespace kleptometrics::aggregator
