// How a batch reaches the aggregator. The worker knows this interface alone; tests put a fake behind it.
#pragma once

#include <memory>
#include <string>

namespace kleptometrics::internal {

struct Reply {
  int status = 0;  // HTTP status; 0: no answer came
  std::string body;
  std::string error;  // why no answer came
};

// One thread at a time.
class Transport {
 public:
  virtual ~Transport() = default;
  // Posts a PushRequest to /api/v1/runs and waits, a few seconds at most.
  virtual Reply push(const std::string& body) = 0;
  // The last act of the thread that pushed, which then ends; while the program exits this may not return.
  virtual void leave() noexcept {}
};

// For `unix:/path`, `http://host:port` or `https://host:port`. Null, and a sentence in `error`, for anything else.
// `ca_file`: see ClientOptions.
std::unique_ptr<Transport> make_http_transport(const std::string& endpoint, const std::string& api_key,
                                               const std::string& ca_file, std::string* error);

}  // namespace kleptometrics::internal
