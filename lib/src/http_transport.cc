// Pushes over HTTP. The connection is kept from one push to the next.
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "lib/http/connection.h"
#include "lib/src/process.h"
#include "lib/src/transport.h"
#include "lib/tls/gate.h"

namespace kleptometrics::internal {
namespace {

constexpr std::chrono::seconds kConnectTime(1);
constexpr std::chrono::seconds kAnswerTime(5);  // from the first byte sent to the last byte received
constexpr std::size_t kBodyBytesMax = 4U << 20U;

class HttpTransport final : public Transport {
 public:
  HttpTransport(http::Endpoint endpoint, const std::string& api_key, const std::string& ca_file)
      : connection_(std::move(endpoint), ca_file) {
    head_ = "POST /api/v1/runs HTTP/1.1\r\nHost: " + connection_.endpoint().host_field() +
            "\r\nUser-Agent: kleptometrics-cpp\r\nContent-Type: application/x-protobuf\r\n";
    if (!api_key.empty()) head_ += "Authorization: Bearer " + api_key + "\r\n";
  }

  Reply push(const std::string& body) override {
    const std::string request = head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    Reply reply;
    // A kept connection may have been closed by the peer meanwhile; a push may safely be sent twice.
    if (connection_.is_open() && exchange(request, &reply)) return reply;
    if (connection_.open(kConnectTime, http::Deadline::max(), &reply.error)) exchange(request, &reply);
    return reply;
  }

  void leave() noexcept override {
    if (!connection_.endpoint().tls) return;
    connection_.close();
    tls::leave_thread();
  }

 private:
  bool exchange(const std::string& request, Reply* reply) {
    http::Response response;
    const http::Deadline deadline = std::chrono::steady_clock::now() + kAnswerTime;
    if (!connection_.exchange(request, deadline, kBodyBytesMax, &response, &reply->error)) return false;
    *reply = {response.status, std::move(response.body), {}};
    return true;
  }

  std::string head_;
  http::Connection connection_;
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
  return std::make_unique<HttpTransport>(*std::move(parsed), api_key, ca_file);
}

}  // namespace kleptometrics::internal
