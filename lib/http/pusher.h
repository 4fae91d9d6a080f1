// Posts runs to an aggregator, over a connection that is kept from one push to the next: for the client library, and
// for an aggregator that forwards. One thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "lib/http/connection.h"

namespace kleptometrics::http {

class Pusher {
 public:
  struct Options {
    std::string user_agent;
    std::string api_key{};                                      // without line breaks; empty: none is shown
    std::string ca_file{};                                      // as Connection takes it
    std::chrono::seconds connect_time{};                        // to one address
    std::optional<std::chrono::seconds> connect_time_in_all{};  // to all that a host has; absent: as long as that takes
    std::chrono::seconds answer_time{};                         // from the first byte sent to the last byte received
    std::size_t answer_bytes_max = 0;
  };

  Pusher(Endpoint to, Options options);

  // Posts a PushRequest to /api/v1/runs and waits for the answer; connects where that is to be done. False, and `error`
  // says why, if no answer came; with one it is empty.
  bool post(const std::string& body, Response* response, std::string* error);
  void close() { connection_.close(); }

  const Endpoint& endpoint() const { return connection_.endpoint(); }

 private:
  bool connect(std::string* error);
  bool exchange(const std::string& request, Response* response, std::string* error);

  const Options options_;
  std::string head_;
  Connection connection_;
};

}  // namespace kleptometrics::http
