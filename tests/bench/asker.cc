#include "tests/bench/asker.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "lib/base/clock.h"

namespace kleptometrics::bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);
constexpr std::size_t kAnswerBytesMax = 64U << 20U;

}  // namespace

Asker::Reply Asker::get(const std::string& path) {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::string error;
  for (int tries = 0; tries < 2; ++tries) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    if (!connection_.is_open() && !connection_.open(std::chrono::seconds(5), deadline, &error)) continue;
    http::Response response;
    const Nanos begin = system_steady();
    if (connection_.exchange(request, deadline, kAnswerBytesMax, &response, &error))
      return {response.status, std::move(response.body), static_cast<double>(system_steady() - begin) / 1e6};
  }
  return {0, error, 0};
}

nlohmann::json Asker::json(const std::string& path) {
  const Reply reply = get(path);
  if (reply.status != 200)
    throw std::runtime_error("GET " + path + " was answered with " + std::to_string(reply.status) + ": " + reply.body);
  return nlohmann::json::parse(reply.body);
}

}  // namespace kleptometrics::bench
