// Pushes over HTTP.
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "lib/http/pusher.h"
#include "lib/src/process.h"
#include "lib/src/transport.h"
#include "lib/tls/gate.h"

namespace kleptometrics::internal {
namespace {

constexpr std::chrono::seconds kConnectTime(1);
constexpr std::chrono::seconds kAnswerTime(5);
constexpr std::size_t kAnswerBytesMax = 4U << 20U;

class HttpTransport final : public Transport {
 public:
  HttpTransport(http::Endpoint endpoint, http::Pusher::Options options)
      : pusher_(std::move(endpoint), std::move(options)) {}

  Reply push(const std::string& body) override {
    Reply reply;
    http::Response response;
    if (!pusher_.post(body, &response, &reply.error)) return reply;
    return {response.status, std::move(response.body), {}};
  }

  void leave() noexcept override {
    if (!pusher_.endpoint().tls) return;
    pusher_.close();
    tls::leave_thread();
  }

 private:
  http::Pusher pusher_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(const std::string& endpoint, const std::string& api_key,
                                               const std::string& ca_file, std::string* error) {
  std::optional<http::Endpoint> parsed = http::parse_endpoint(endpoint);
  if (!parsed || api_key.find_first_of("\r\n") != std::string::npos) {
    *error = parsed ? "the API key has a line break" : http::refusal_of(endpoint);
    return nullptr;
  }
  if (parsed->tls) prepare_tls();
  http::Pusher::Options options{"kleptometrics-cpp", api_key, ca_file, kConnectTime};
  options.answer_time = kAnswerTime;
  options.answer_bytes_max = kAnswerBytesMax;
  return std::make_unique<HttpTransport>(*std::move(parsed), std::move(options));
}

}  // namespace kleptometrics::internal
