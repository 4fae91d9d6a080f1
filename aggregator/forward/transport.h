// How a push reaches the centre. The forwarder knows this interface alone; tests put a fake behind it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kleptometrics::aggregator {

struct Reply {
  int status = 0;            // of HTTP; 0: no answer came
  std::string content_type;  // media type alone, lower case
  std::string body;
  std::string error;  // why no answer came
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Posts a PushRequest to /api/v1/runs and waits, half a minute or so at most. One thread at a time.
  virtual Reply post(std::string body) = 0;
  // Whoever waits in post(), or comes to it later, is let go without an answer, where that can be done. Any thread.
  virtual void give_up() {}
};

// Where the centre is, and how it is known.
struct Centre {
  std::string url;        // `http://host:port`, `https://host:port` or `unix:/path`
  std::string api_key{};  // shown there unless it is empty
  std::string ca_file{};  // whose certificates alone are trusted; empty: those that the system trusts
};

// InvalidArgument names what is wrong with the URL or the key. Its post() cannot be given up by itself: see Courier.
absl::StatusOr<std::unique_ptr<Transport>> make_http_transport(const Centre& centre);

}  // namespace kleptometrics::aggregator
