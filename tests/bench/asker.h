// Asks an aggregator questions over one connection that is kept alive, as a program does that has many. One thread at a
// time.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "lib/http/connection.h"

namespace kleptometrics::bench {

class Asker {
 public:
  explicit Asker(http::Endpoint endpoint) : connection_(std::move(endpoint)) {}

  struct Reply {
    int status = 0;  // 0: none came
    std::string body;
    double milliseconds = 0;  // from the first byte sent to the last received
  };
  // A GET. Sent a second time where the connection was closed meanwhile.
  Reply get(const std::string& path);
  // The JSON of a GET; throws std::runtime_error unless it is answered with 200.
  nlohmann::json json(const std::string& path);

 private:
  http::Connection connection_;
};

}  // namespace kleptometrics::bench
